// What the gateway reads from the environment.

import { isIP } from 'node:net';
import { join } from 'node:path';
import { baseShape, fields, loadConfig, type Secret } from '#common/config.ts';

/** A service that the gateway speaks for: all rpcs of one proto package. */
export type UpstreamConfig = { readonly name: string; readonly packageName: string; readonly url: string };

export type GatewayConfig = {
  readonly host: string;
  readonly port: number;
  readonly logLevel: string;
  readonly logDir: string | undefined;
  readonly jwtSecret: Secret;
  readonly upstreams: readonly UpstreamConfig[];
  /** Web pages that may call: origins, or `*` for all. */
  readonly corsOrigins: readonly string[];
  /** Whether pages served from this machine may call, whatever their port. */
  readonly allowsLocalOrigins: boolean;
  /** Proxies in front of us whose X-Forwarded-For is believed: addresses or networks. */
  readonly trustedProxies: readonly string[];
  /** Requests a minute of one user, or of one address without a token; 0 is no limit. */
  readonly ratePerMinute: number;
  /** The same for what anyone may call and that changes something, such as logging in, by address. */
  readonly loginRatePerMinute: number;
  /** Where the protos lie. */
  readonly protoFolders: readonly string[];
};

const shape = {
  ...baseShape,
  GATEWAY_PORT: fields.port(5000),
  CORS_ORIGINS: fields.list([]),
  TRUSTED_PROXIES: fields.list([]),
  RATE_LIMIT_PER_MINUTE: fields.int(600, { min: 0, max: 1_000_000 }),
  LOGIN_RATE_LIMIT_PER_MINUTE: fields.int(30, { min: 0, max: 1_000_000 }),
} as const;

/** Every variable that is read. */
export const variables: readonly string[] = Object.keys(shape);

/** Throws INVALID_CONFIG naming everything that is wrong. */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): GatewayConfig {
  const read = loadConfig(shape, env, [
    ...originProblems(env.CORS_ORIGINS),
    ...proxyProblems(env.TRUSTED_PROXIES),
  ]);
  return {
    host: read.HOST,
    port: read.GATEWAY_PORT,
    logLevel: read.LOG_LEVEL,
    logDir: read.LOG_DIR,
    jwtSecret: read.JWT_SECRET_KEY,
    upstreams: [
      { name: 'auth', packageName: 'pucp.auth.v1', url: read.AUTH_SERVICE_URL },
      { name: 'slice', packageName: 'pucp.slice.v1', url: read.SLICE_SERVICE_URL },
      { name: 'openstack', packageName: 'pucp.openstack.v1', url: read.OPENSTACK_SERVICE_URL },
    ],
    corsOrigins: read.CORS_ORIGINS,
    allowsLocalOrigins: read.ENVIRONMENT !== 'production',
    trustedProxies: read.TRUSTED_PROXIES,
    ratePerMinute: read.RATE_LIMIT_PER_MINUTE,
    loginRatePerMinute: read.LOGIN_RATE_LIMIT_PER_MINUTE,
    protoFolders: [join(import.meta.dirname, '..', 'proto')],
  };
}

function originProblems(value = ''): string[] {
  const wrong = split(value).filter(
    (origin) => origin !== '*' && (!URL.canParse(origin) || new URL(origin).origin !== origin),
  );
  return wrong.map(
    (origin) => `CORS_ORIGINS has "${origin}", which is no origin such as https://lab.example.org`,
  );
}

function proxyProblems(value = ''): string[] {
  const wrong = split(value).filter((proxy) => {
    const [address = '', bits, ...more] = proxy.split('/');
    const version = isIP(address);
    if (version === 0 || more.length > 0) return true;
    return bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
  });
  return wrong.map(
    (proxy) => `TRUSTED_PROXIES has "${proxy}", which is no address or network such as 10.0.0.0/8`,
  );
}

function split(value: string): string[] {
  return value.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]));
}
