// What auth reads from the environment.

import { baseShape, databaseShape, fields, loadConfig, type Secret } from '#common/config.ts';
import { DEMO_USERS } from './first-accounts.ts';
import { passwordMistake } from './users.ts';

export type AuthConfig = {
  readonly host: string;
  readonly port: number;
  readonly logLevel: string;
  readonly logDir: string | undefined;
  readonly jwtSecret: Secret;
  /** How long a login lasts. */
  readonly tokenTtlS: number;
  readonly databaseUrl: Secret;
  readonly databasePool: number;
  /** The first admin's password; a random one is printed once if it is not set. */
  readonly adminPassword: Secret | undefined;
  /** Whether the published demo accounts exist: only while the mesh runs on the sandbox. */
  readonly hasDemoUsers: boolean;
};

const shape = {
  ...baseShape,
  ...databaseShape,
  AUTH_PORT: fields.port(5001),
  ADMIN_PASSWORD: fields.optionalSecret(),
  /** Set by the launcher, which knows whether a cloud is configured. */
  DEMO_USERS: fields.flag(false),
} as const;

/** Every variable that auth knows. */
export const variables: readonly string[] = Object.keys(shape);

/** Throws INVALID_CONFIG naming every mistake. */
export function readConfig(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): AuthConfig {
  const set = loadConfig(shape, environment, adminPasswordProblems(environment.ADMIN_PASSWORD ?? ''));
  return {
    host: set.HOST,
    port: set.AUTH_PORT,
    logLevel: set.LOG_LEVEL,
    logDir: set.LOG_DIR,
    jwtSecret: set.JWT_SECRET_KEY,
    tokenTtlS: set.TOKEN_EXPIRATION_HOURS * 3600,
    databaseUrl: set.DATABASE_URL,
    databasePool: set.DATABASE_POOL,
    adminPassword: set.ADMIN_PASSWORD,
    hasDemoUsers: set.DEMO_USERS,
  };
}

function adminPasswordProblems(password: string): string[] {
  if (password === '') return [];
  if (DEMO_USERS.some((user) => user.password === password)) {
    return ['ADMIN_PASSWORD is the published password of a demo account; choose another'];
  }
  const mistake = passwordMistake(password);
  return mistake === undefined ? [] : [`ADMIN_PASSWORD ${mistake}`];
}
