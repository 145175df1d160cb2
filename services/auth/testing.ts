// A running auth with a client, for the tests beside it.

import type { TestContext } from 'node:test';
import { createIdentity, type Identity } from '#common/caller.ts';
import { Secret } from '#common/config.ts';
import { openDatabase } from '#common/database.ts';
import type { Failure } from '#common/errors.ts';
import { silentLog } from '#common/log.ts';
import { type Client, connect } from '#common/rpc-client.ts';
import { type AuthServiceServer, AuthServiceService } from '#proto/pucp/auth/v1/auth_service.ts';
import type { AuthConfig } from './config.ts';
import { migrations } from './migrations/all.ts';
import { type AuthSurroundings, startAuth } from './service.ts';

export const SECRET = new Secret('a secret of the tests that is longer than 32 bytes');

export type RunningAuth = {
  readonly port: number;
  readonly client: Client<AuthServiceServer>;
  /** Signs and checks tokens with auth's secret and no revocations. */
  readonly identity: Identity;
  /** What auth printed for the operator. */
  readonly printed: readonly string[];
  /** Signs in and returns the token. */
  token(username: string, password: string): Promise<string>;
  close(): Promise<void>;
};

/** Starts auth on a free port with the demo accounts; it ends with the test. */
export async function runAuth(
  context: TestContext,
  databaseUrl: string,
  changes: Partial<AuthConfig> & AuthSurroundings = {},
): Promise<RunningAuth> {
  const printed: string[] = [];
  const { now, print = (line: string) => printed.push(line), ...config } = changes;
  const auth = await startAuth(
    {
      host: '127.0.0.1',
      port: 0,
      logLevel: 'silent',
      logDir: undefined,
      jwtSecret: SECRET,
      tokenTtlS: 3600,
      databaseUrl: new Secret(databaseUrl),
      databasePool: 10,
      adminPassword: undefined,
      hasDemoUsers: true,
      ...config,
    },
    silentLog,
    now ? { now, print } : { print },
  );
  const client = connect<AuthServiceServer>(AuthServiceService, `http://127.0.0.1:${auth.port}`);
  let closing: Promise<void> | undefined;
  const close = () => {
    client.close();
    closing ??= auth.close();
    return closing;
  };
  context.after(close);
  return {
    port: auth.port,
    client,
    identity: createIdentity({ secret: SECRET }),
    printed,
    token: async (username, password) => (await client.login({ username, password })).token,
    close,
  };
}

/** What became of a call that may fail: its answer, or the failure. */
export function settled<T>(call: Promise<T>): Promise<T | Failure> {
  return call.catch((error: Failure) => error);
}

/** Looks into auth's tables, and changes them, behind its back. */
export async function openQueries(context: TestContext, databaseUrl: string) {
  const knex = await openDatabase({
    url: new Secret(databaseUrl),
    schema: 'auth',
    migrations,
    log: silentLog,
  });
  context.after(() => knex.destroy());
  return async (sql: string, values: string[] = []): Promise<Record<string, unknown>[]> =>
    (await knex.raw<{ rows: Record<string, unknown>[] }>(sql, values)).rows;
}
