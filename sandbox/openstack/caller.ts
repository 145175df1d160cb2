// Who makes a request: what a token says, evaluated at the moment of the call.

export type Scope =
  | { readonly kind: 'project'; readonly projectId: string }
  | { readonly kind: 'domain'; readonly domainId: string }
  | { readonly kind: 'system' }
  | { readonly kind: 'none' };

export type Caller = {
  readonly tokenId: string;
  readonly userId: string;
  readonly scope: Scope;
  /** The project of a project-scoped token, otherwise ''. */
  readonly projectId: string;
  readonly isAdmin: boolean;
  readonly roles: readonly { readonly id: string; readonly name: string }[];
};

/** The caller of routes that need no token. */
export const NOBODY: Caller = {
  tokenId: '',
  userId: '',
  scope: { kind: 'none' },
  projectId: '',
  isAdmin: false,
  roles: [],
};
