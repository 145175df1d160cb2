// What Keystone's tables hold.

export type ProjectRow = {
  readonly id: string;
  readonly name: string;
  readonly domain_id: string;
  readonly description: string;
  readonly enabled: boolean;
  readonly tags: readonly string[];
  /** The project it lies within; without one it lies in the domain itself. */
  readonly parent_id?: string;
  /** Properties that Keystone does not know and keeps all the same. */
  readonly extra?: Readonly<Record<string, unknown>>;
};

export type UserRow = {
  readonly id: string;
  readonly name: string;
  readonly domain_id: string;
  readonly enabled: boolean;
  readonly password: string;
  readonly description?: string;
  readonly email?: string;
  readonly default_project_id?: string;
  /** Properties that Keystone does not know and keeps all the same. */
  readonly extra?: Readonly<Record<string, unknown>>;
};

export type RoleRow = {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly immutable: boolean;
  /** Ids of the roles that come with this one. */
  readonly implies: readonly string[];
};

/** A user's role on a project, on the system (project_id 'system') or on a domain (project_id 'domain:ID'). */
export type AssignmentRow = {
  readonly id: string;
  readonly user_id: string;
  readonly project_id: string;
  readonly role_id: string;
};

export type TokenRow = {
  readonly id: string;
  readonly user_id: string;
  readonly methods: readonly string[];
  readonly audit_ids: readonly string[];
  /** A project's id, 'system', 'domain:ID', or '' for an unscoped token. */
  readonly target: string;
  /** Milliseconds since the epoch. */
  readonly issued: number;
  readonly expires: number;
  /** Set if the token came from an application credential, whose roles it then has. */
  readonly credential_id?: string;
};

export type CredentialRow = {
  readonly id: string;
  readonly user_id: string;
  readonly project_id: string;
  readonly name: string;
  readonly description: string | null;
  readonly secret: string;
  readonly expires_at: string | null;
  readonly unrestricted: boolean;
  readonly role_ids: readonly string[];
};

export const DEFAULT_DOMAIN = { id: 'default', name: 'Default' } as const;
