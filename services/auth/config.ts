// What auth reads from the environment.

import { baseShape, databaseShape, fields, loadConfig } from '#common/config.ts';
import { DEMO_USERS } from './first-accounts.ts';
import { passwordMistake } from './users.ts';

const shape = {
  ...baseShape,
  ...databaseShape,
  AUTH_PORT: fields.port(5001),
  /** The first admin's password; a random one is printed once if it is not set. */
  ADMIN_PASSWORD: fields.optionalSecret(),
  /** Whether the published demo accounts exist. The launcher sets it while no OPENSTACK_AUTH_URL is configured. */
  DEMO_USERS: fields.flag(false),
} as const;

export type AuthConfig = ReturnType<typeof readConfig>;

/** Throws INVALID_CONFIG naming everything that is wrong. */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env) {
  return loadConfig(shape, env, adminPasswordProblems(env.ADMIN_PASSWORD ?? ''));
}

function adminPasswordProblems(password: string): string[] {
  if (password === '') return [];
  if (DEMO_USERS.some((user) => user.password === password)) {
    return ['ADMIN_PASSWORD is the published password of a demo account; choose another'];
  }
  const mistake = passwordMistake(password);
  return mistake === undefined ? [] : [`ADMIN_PASSWORD ${mistake}`];
}
