// What Cinder's tables hold.

export type CinderAttachment = {
  readonly attachment_id: string;
  readonly server_id: string;
  readonly device: string;
  readonly attached_at: string;
};

export type VolumeRow = {
  readonly id: string;
  readonly project_id: string;
  readonly user_id: string;
  readonly name: string | null;
  readonly description: string | null;
  readonly size: number;
  readonly status: string;
  readonly availability_zone: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly bootable: boolean;
  readonly multiattach: boolean;
  readonly snapshot_id: string | null;
  readonly source_volid: string | null;
  readonly image_metadata: Readonly<Record<string, string>> | null;
  readonly attachments: readonly CinderAttachment[];
  /** How it was before it was reserved for a server. */
  readonly read_only?: boolean;
  readonly created_at: string;
  readonly updated_at: string | null;
};

export type SnapshotRow = {
  readonly id: string;
  readonly project_id: string;
  readonly user_id: string;
  readonly volume_id: string;
  readonly name: string | null;
  readonly description: string | null;
  readonly size: number;
  readonly status: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly created_at: string;
  readonly updated_at: string | null;
};
