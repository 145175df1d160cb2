// What a cloud is and how to reach it. Reading the environment or clouds.yaml is the service's business, not this folder's.

/** The OpenStack services spoken to, by the names operators know them by. */
export const SERVICES = ['keystone', 'nova', 'neutron', 'glance', 'cinder'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** What a service is called in sentences. */
export const SERVICE_TITLES = {
  keystone: 'Keystone',
  nova: 'Nova',
  neutron: 'Neutron',
  glance: 'Glance',
  cinder: 'Cinder',
} satisfies Record<ServiceName, string>;

export type PasswordAuth = {
  readonly type: 'password';
  readonly username: string;
  /** Ids go before names, here and below. */
  readonly userId?: string | undefined;
  readonly password: string;
  readonly userDomainName: string;
  readonly userDomainId?: string | undefined;
};
/** A token someone else obtained. It cannot be renewed with a password: when it ends, so does the access. */
export type TokenAuth = { readonly type: 'token'; readonly token: string };
/** Bound to one project by Keystone: it cannot be scoped to another. */
export type ApplicationCredentialAuth = {
  readonly type: 'application_credential';
  readonly id: string;
  readonly secret: string;
};

export type CloudSettings = {
  /** Keystone, with or without `/v3`, under any path prefix. */
  readonly authUrl: string;
  readonly auth: PasswordAuth | TokenAuth | ApplicationCredentialAuth;
  /** The home project: where administrative calls are made from. */
  readonly projectName?: string | undefined;
  readonly projectId?: string | undefined;
  readonly projectDomainName?: string | undefined;
  readonly projectDomainId?: string | undefined;
  /** A home that is no project. */
  readonly homeScope?:
    | { readonly domainId: string }
    | { readonly domainName: string }
    | { readonly system: true }
    | undefined;
  /** Any region, if empty. */
  readonly regionName?: string | undefined;
  readonly interface: 'public' | 'internal' | 'admin';
  /** PEM files. */
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** Accepts any certificate. Only ever because someone said so. */
  readonly insecure?: boolean | undefined;
  readonly connectTimeoutMs: number;
  /** From the first byte sent to the last received, not counting the wait for a free connection. */
  readonly requestTimeoutMs: number;
  /** Requests under way at once, over all services of the cloud. */
  readonly maxConnections: number;
  /** A fixed address per service, before the catalog's; `{project_id}` stands for the project. */
  readonly endpointOverrides?: Readonly<Partial<Record<ServiceName, string | undefined>>> | undefined;
  /** The largest answer read, in bytes; 64 MiB if not set. */
  readonly maxResponseBytes?: number | undefined;
  /** Calls within ten seconds, or failures in a row, before a breaker may open (5), and how long it then stays open (15 s). */
  readonly breakerVolume?: number | undefined;
  readonly breakerResetMs?: number | undefined;
};

/** What every call carries: when to stop, and the id under which all logs know the work. */
export type CallContext = {
  readonly signal: AbortSignal;
  /** Sent as the global request id; made if not given. `req-` is put before a bare UUID. */
  readonly requestId?: string | undefined;
};

/** One exchange with the cloud, for logs and metrics. */
export type CallRecord = {
  readonly service: ServiceName;
  readonly method: string;
  /** The path with ids left out: `/servers/{id}`. */
  readonly route: string;
  /** 0 if no answer came. */
  readonly status: number;
  readonly ms: number;
  /** The global request id that was sent. */
  readonly requestId: string;
  /** The id the service gave the request, if it did. */
  readonly cloudRequestId: string | undefined;
  /** The Failure's reason, if there was one. */
  readonly reason: string | undefined;
};
