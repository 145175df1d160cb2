// What Nova's tables hold.

export type FlavorRow = {
  readonly id: string;
  readonly name: string;
  readonly vcpus: number;
  readonly ram: number;
  readonly disk: number;
  readonly ephemeral: number;
  readonly swap: number;
  readonly is_public: boolean;
  readonly description: string | null;
  readonly extra_specs: Readonly<Record<string, string>>;
  /** The projects that may use it if it is private. */
  readonly access?: readonly string[];
};

export type ServerFault = { readonly code: number; readonly message: string; readonly created: string };

export type VolumeAttachment = {
  readonly volume_id: string;
  readonly device: string;
  readonly attachment_id: string;
  readonly bdm_uuid: string;
  readonly delete_on_termination: boolean;
  readonly tag: string | null;
  readonly is_boot: boolean;
};

export type InstanceAction = {
  readonly action: string;
  readonly request_id: string;
  readonly user_id: string;
  readonly start_time: string;
};

export type ServerRow = {
  readonly id: string;
  readonly name: string;
  readonly project_id: string;
  readonly user_id: string;
  readonly image_id: string;
  /** The flavor as it was at creation: a flavor that is deleted later does not change its servers. */
  readonly flavor: FlavorRow;
  readonly old_flavor: FlavorRow | null;
  readonly vm_state: string;
  readonly task_state: string | null;
  readonly power_state: number;
  /** The hypervisor's name, or '' before scheduling. */
  readonly host: string;
  readonly hostname: string;
  readonly availability_zone: string;
  readonly requested_zone: string;
  readonly requested_host: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly description: string | null;
  readonly key_name: string | null;
  readonly config_drive: boolean;
  readonly user_data: string | null;
  readonly access_ip_v4: string;
  readonly access_ip_v6: string;
  readonly security_groups: readonly string[];
  /** What was asked for, until the ports exist. */
  readonly requested_networks: readonly RequestedNetwork[];
  /** Ports that Nova made, and deletes. */
  readonly own_port_ids: readonly string[];
  readonly volumes: readonly VolumeAttachment[];
  readonly fault: ServerFault | null;
  readonly locked: boolean;
  readonly locked_reason: string | null;
  readonly reservation_id: string;
  readonly launch_index: number;
  readonly number: number;
  readonly actions: readonly InstanceAction[];
  readonly created_at: string;
  readonly updated_at: string;
  readonly launched_at: string | null;
  readonly server_group_id?: string;
  /** AUTO or MANUAL, the latter if it was never said. */
  readonly disk_config?: string;
};

export type RequestedNetwork = {
  readonly network_id?: string;
  readonly port_id?: string;
  readonly fixed_ip?: string;
};

export type ServerGroupRow = {
  readonly id: string;
  readonly name: string;
  readonly policy: string;
  readonly rules: Readonly<Record<string, unknown>>;
  readonly project_id: string;
  readonly user_id: string;
};

export type KeypairRow = {
  readonly id: string;
  readonly user_id: string;
  readonly name: string;
  readonly type: string;
  readonly public_key: string;
  readonly fingerprint: string;
  readonly number: number;
  readonly created_at: string;
};
