// What Neutron's tables hold. The names are the API's own, so that most rows are shown as they are.

type Standard = {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly created_at: string;
  readonly updated_at: string;
  readonly revision_number: number;
};

export type FixedIp = { readonly subnet_id: string; readonly ip_address: string };

export type NetworkRow = Standard & {
  readonly admin_state_up: boolean;
  readonly mtu: number;
  readonly shared: boolean;
  readonly is_external: boolean;
  readonly is_default: boolean;
  readonly port_security_enabled: boolean;
  readonly network_type: string;
  readonly physical_network: string | null;
  readonly segmentation_id: number | null;
};

export type SubnetRow = Standard & {
  readonly network_id: string;
  readonly ip_version: number;
  readonly cidr: string;
  readonly gateway_ip: string | null;
  readonly enable_dhcp: boolean;
  readonly allocation_pools: readonly { readonly start: string; readonly end: string }[];
  readonly dns_nameservers: readonly string[];
  readonly host_routes: readonly unknown[];
  readonly ipv6_ra_mode: string | null;
  readonly ipv6_address_mode: string | null;
};

export type PortRow = Standard & {
  readonly network_id: string;
  readonly mac_address: string;
  readonly admin_state_up: boolean;
  readonly status: string;
  readonly device_id: string;
  readonly device_owner: string;
  readonly fixed_ips: readonly FixedIp[];
  readonly security_groups: readonly string[];
  readonly allowed_address_pairs: readonly { readonly mac_address: string; readonly ip_address: string }[];
  readonly port_security_enabled: boolean;
  readonly host: string;
};

export type RouterRow = Standard & {
  readonly admin_state_up: boolean;
  readonly gateway_network_id: string | null;
  readonly gateway_port_id: string | null;
  readonly enable_snat: boolean;
  readonly routes: readonly { readonly destination: string; readonly nexthop: string }[];
  /** False until an L3 agent has taken the router. */
  readonly is_scheduled: boolean;
};

export type FloatingIpRow = Standard & {
  readonly floating_network_id: string;
  readonly floating_ip_address: string;
  /** The hidden port that holds the address on the external network. */
  readonly holder_port_id: string;
  /** '' while not associated. */
  readonly port_id: string;
  readonly fixed_ip_address: string | null;
  readonly router_id: string | null;
  readonly status: string;
};

export type GroupRow = Standard & { readonly stateful: boolean };

export type RuleRow = {
  readonly id: string;
  readonly project_id: string;
  readonly security_group_id: string;
  readonly ethertype: string;
  readonly direction: string;
  readonly protocol: string | null;
  readonly port_range_min: number | null;
  readonly port_range_max: number | null;
  readonly remote_ip_prefix: string | null;
  readonly remote_group_id: string | null;
  readonly description: string | null;
  readonly number: number;
  readonly created_at: string;
  readonly updated_at: string;
  readonly revision_number: number;
};
