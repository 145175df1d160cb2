// Neutron's resources as they travel. Fields that only administrators see or set are marked.

type Common = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly project_id: string;
  readonly tags: readonly string[];
  readonly created_at: string;
  readonly updated_at: string;
  readonly revision_number: number;
};

export type NeutronNetwork = Common & {
  readonly status: 'ACTIVE' | 'BUILD' | 'DOWN' | 'ERROR';
  readonly admin_state_up: boolean;
  readonly shared: boolean;
  readonly mtu: number;
  /** Ids. */
  readonly subnets: readonly string[];
  readonly port_security_enabled: boolean;
  readonly 'router:external': boolean;
  /** For administrators, as are the next two. */
  readonly 'provider:network_type'?: string;
  readonly 'provider:physical_network'?: string | null;
  readonly 'provider:segmentation_id'?: number | null;
};

export type NetworkChanges = {
  readonly name?: string;
  readonly description?: string;
  readonly admin_state_up?: boolean;
  readonly shared?: boolean;
  readonly mtu?: number;
  readonly port_security_enabled?: boolean;
  readonly 'router:external'?: boolean;
};
export type NetworkCreate = NetworkChanges & {
  /** Someone else's project; for administrators. */
  readonly project_id?: string;
  readonly 'provider:network_type'?: string;
  readonly 'provider:physical_network'?: string;
  readonly 'provider:segmentation_id'?: number;
};
export type NetworkFilter = {
  readonly 'router:external'?: boolean;
  readonly shared?: boolean;
  readonly status?: string;
};

export type AllocationPool = { readonly start: string; readonly end: string };
export type HostRoute = { readonly destination: string; readonly nexthop: string };

export type NeutronSubnet = Common & {
  readonly network_id: string;
  readonly ip_version: 4 | 6;
  readonly cidr: string;
  readonly gateway_ip: string | null;
  readonly enable_dhcp: boolean;
  readonly allocation_pools: readonly AllocationPool[];
  readonly host_routes: readonly HostRoute[];
  readonly dns_nameservers: readonly string[];
  readonly ipv6_address_mode: string | null;
  readonly ipv6_ra_mode: string | null;
};

export type SubnetChanges = {
  readonly name?: string;
  readonly description?: string;
  /** null for none; the network's first address if left out at creation. */
  readonly gateway_ip?: string | null;
  readonly enable_dhcp?: boolean;
  readonly allocation_pools?: readonly AllocationPool[];
  readonly host_routes?: readonly HostRoute[];
  readonly dns_nameservers?: readonly string[];
};
export type SubnetCreate = SubnetChanges & {
  readonly network_id: string;
  readonly ip_version: 4 | 6;
  readonly cidr: string;
  readonly project_id?: string;
  readonly ipv6_address_mode?: string;
  readonly ipv6_ra_mode?: string;
};
export type SubnetFilter = {
  readonly network_id?: string | readonly string[];
  readonly ip_version?: 4 | 6;
  readonly cidr?: string;
};

export type FixedIp = { readonly subnet_id?: string; readonly ip_address?: string };

export type NeutronPort = Common & {
  readonly network_id: string;
  readonly mac_address: string;
  /** DOWN until it is bound to a host. */
  readonly status: 'ACTIVE' | 'BUILD' | 'DOWN' | 'ERROR' | 'N/A';
  readonly admin_state_up: boolean;
  /** The server, router or agent it belongs to; empty if none. */
  readonly device_id: string;
  /** `compute:<zone>`, `network:router_interface`, `network:dhcp`, … */
  readonly device_owner: string;
  readonly fixed_ips: readonly { readonly subnet_id: string; readonly ip_address: string }[];
  /** Ids. */
  readonly security_groups: readonly string[];
  readonly port_security_enabled: boolean;
  readonly allowed_address_pairs: readonly { readonly ip_address: string; readonly mac_address: string }[];
  /** For administrators. */
  readonly 'binding:host_id'?: string;
};

export type PortChanges = {
  readonly name?: string;
  readonly description?: string;
  readonly admin_state_up?: boolean;
  readonly fixed_ips?: readonly FixedIp[];
  readonly security_groups?: readonly string[];
  readonly port_security_enabled?: boolean;
  readonly device_id?: string;
  readonly device_owner?: string;
  /** For administrators once the port is there, and not while it is bound. */
  readonly mac_address?: string;
  readonly allowed_address_pairs?: readonly { readonly ip_address: string; readonly mac_address?: string }[];
};
export type PortCreate = PortChanges & {
  readonly network_id: string;
  readonly project_id?: string;
};
export type PortFilter = {
  readonly network_id?: string | readonly string[];
  readonly device_id?: string | readonly string[];
  readonly device_owner?: string | readonly string[];
  readonly mac_address?: string;
  readonly status?: string;
  /** `subnet_id=…`, `ip_address=…`. */
  readonly fixed_ips?: string | readonly string[];
  /** Ids. */
  readonly security_groups?: string | readonly string[];
};

export type NeutronRouter = Common & {
  readonly status: string;
  readonly admin_state_up: boolean;
  readonly external_gateway_info: {
    readonly network_id: string;
    readonly enable_snat?: boolean;
    readonly external_fixed_ips: readonly { readonly subnet_id: string; readonly ip_address: string }[];
  } | null;
  readonly routes: readonly HostRoute[];
};

export type RouterChanges = {
  readonly name?: string;
  readonly description?: string;
  readonly admin_state_up?: boolean;
  /** null takes the gateway away. */
  readonly external_gateway_info?: { readonly network_id: string; readonly enable_snat?: boolean } | null;
  readonly routes?: readonly HostRoute[];
};
export type RouterCreate = RouterChanges & { readonly project_id?: string };
export type RouterFilter = { readonly status?: string };

/** A subnet, whose gateway address it takes, or a port made for it. */
export type RouterInterface = { readonly subnet_id: string } | { readonly port_id: string };

export type FloatingIp = Omit<Common, 'name'> & {
  readonly floating_ip_address: string;
  readonly floating_network_id: string;
  readonly fixed_ip_address: string | null;
  readonly port_id: string | null;
  readonly router_id: string | null;
  /** DOWN until it is associated, ACTIVE some time after. */
  readonly status: 'ACTIVE' | 'DOWN' | 'ERROR';
};

export type FloatingIpChanges = {
  readonly description?: string;
  /** null frees it of its port. */
  readonly port_id?: string | null;
  readonly fixed_ip_address?: string;
};
export type FloatingIpCreate = FloatingIpChanges & {
  readonly floating_network_id: string;
  readonly project_id?: string;
};
export type FloatingIpFilter = {
  readonly port_id?: string | readonly string[];
  readonly floating_network_id?: string;
  readonly floating_ip_address?: string;
  readonly fixed_ip_address?: string;
  readonly router_id?: string;
  readonly status?: string;
};

export type SecurityGroup = Common & { readonly security_group_rules: readonly SecurityGroupRule[] };
export type SecurityGroupChanges = { readonly name?: string; readonly description?: string };
/** A new group lets everything out: it has two egress rules from the start. */
export type SecurityGroupCreate = SecurityGroupChanges & {
  readonly name: string;
  readonly project_id?: string;
};
export type SecurityGroupFilter = { readonly shared?: boolean };

export type SecurityGroupRule = Omit<Common, 'name' | 'tags'> & {
  readonly security_group_id: string;
  readonly direction: 'ingress' | 'egress';
  readonly ethertype: 'IPv4' | 'IPv6';
  readonly protocol: string | null;
  readonly port_range_min: number | null;
  readonly port_range_max: number | null;
  readonly remote_ip_prefix: string | null;
  readonly remote_group_id: string | null;
};
export type SecurityGroupRuleCreate = {
  readonly security_group_id: string;
  readonly direction: 'ingress' | 'egress';
  readonly ethertype?: 'IPv4' | 'IPv6';
  readonly protocol?: string;
  readonly port_range_min?: number;
  readonly port_range_max?: number;
  readonly remote_ip_prefix?: string;
  readonly remote_group_id?: string;
  readonly description?: string;
};
export type SecurityGroupRuleFilter = {
  readonly security_group_id?: string | readonly string[];
  readonly direction?: string;
};

/** -1 is unlimited. */
export type NetworkQuotas = {
  readonly network: number;
  readonly subnet: number;
  readonly port: number;
  readonly router: number;
  readonly floatingip: number;
  readonly security_group: number;
  readonly security_group_rule: number;
};
export type NetworkQuotaUse = {
  readonly [K in keyof NetworkQuotas]: {
    readonly limit: number;
    readonly used: number;
    readonly reserved: number;
  };
};
