// What `npm start` will run, and with which environment. Everything is checked here, with the processes' own readers, so
// that all mistakes come in one message before anything starts.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { baseShape, fields, invalidConfig, loadConfig } from '#common/config.ts';
import { Failure } from '#common/errors.ts';
import { readConfig as readGateway } from '../gateway/config.ts';
import { readConfig as readSandbox } from '../sandbox/openstack/config.ts';
import { readConfig as readAuth } from '../services/auth/config.ts';
import { readConfig as readOpenstack } from '../services/openstack/config.ts';
import { readConfig as readSlice } from '../services/slice/config.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export type PlannedProcess = {
  readonly name: string;
  readonly main: string;
  readonly port: number;
  /** Answers 200 once the process can serve. */
  readonly readyUrl: string;
  readonly about: string;
};

export type Plan = {
  readonly dataDir: string;
  readonly needsDatabase: boolean;
  readonly databasePort: number;
  /** What all processes get. */
  readonly env: NodeJS.ProcessEnv;
  readonly processes: readonly PlannedProcess[];
  /** Lines to show when all is ready. */
  readonly hints: readonly string[];
};

const SANDBOX_PASSWORD = 'sandbox';
const CLOUD_VARIABLES = ['AUTH_URL', 'USERNAME', 'PASSWORD', 'PROJECT_NAME', 'CLOUD'].flatMap((name) => [
  `OPENSTACK_${name}`,
  `OS_${name}`,
]);
const shape = {
  DATA_DIR: baseShape.DATA_DIR,
  POSTGRES_PORT: fields.port(0),
  GATEWAY_PORT: fields.port(5000),
  AUTH_PORT: fields.port(5001),
  SLICE_PORT: fields.port(5002),
  OPENSTACK_PORT: fields.port(5006),
  SANDBOX_PORT: fields.port(5090),
} as const;

/** Decides what runs. Throws one INVALID_CONFIG failure that names every wrong variable of every process. */
export function planStart(environment: Environment): Plan {
  const problems = new Set<string>();
  const own = collect(problems, () => loadConfig(shape, environment)) ?? loadConfig(shape, {});
  // Whoever names any part of a cloud wants that cloud, and is told what is missing.
  const usesSandbox = !CLOUD_VARIABLES.some((name) => environment[name]);
  if (usesSandbox && environment.ENVIRONMENT === 'production') {
    problems.add(
      'OPENSTACK_AUTH_URL is not set: the sandbox, with its known passwords, is not for production',
    );
  }
  const at = (port: number) => `http://localhost:${port}`;
  const env: Record<string, string | undefined> = {
    ...environment,
    DATA_DIR: own.DATA_DIR,
    AUTH_SERVICE_URL: environment.AUTH_SERVICE_URL || at(own.AUTH_PORT),
    SLICE_SERVICE_URL: environment.SLICE_SERVICE_URL || at(own.SLICE_PORT),
    OPENSTACK_SERVICE_URL: environment.OPENSTACK_SERVICE_URL || at(own.OPENSTACK_PORT),
    DEMO_USERS: String(usesSandbox),
    JWT_SECRET_KEY:
      environment.JWT_SECRET_KEY ||
      (environment.ENVIRONMENT === 'production' ? undefined : secretOf(own.DATA_DIR)),
    ...(usesSandbox ? sandboxCloud(own.SANDBOX_PORT) : {}),
  };
  const complete = { ...env, DATABASE_URL: env.DATABASE_URL || 'postgres://localhost/checked-later' };
  for (const read of [readAuth, readSlice, readOpenstack, readGateway])
    collect(problems, () => read(complete));
  if (usesSandbox) collect(problems, () => readSandbox(complete));
  for (const problem of samePorts(own)) problems.add(problem);
  if (problems.size > 0) throw invalidConfig([...problems]);

  const ready = (port: number, path = '/ready') => `http://127.0.0.1:${port}${path}`;
  const process = (name: string, main: string, port: number, about: string, path?: string) => ({
    name,
    main,
    port,
    readyUrl: ready(port, path),
    about,
  });
  const sandbox = process(
    'sandbox',
    'sandbox/openstack/main.ts',
    own.SANDBOX_PORT,
    sandboxAbout(own.SANDBOX_PORT),
    '/healthz',
  );
  return {
    dataDir: own.DATA_DIR,
    needsDatabase: !environment.DATABASE_URL,
    databasePort: own.POSTGRES_PORT,
    env,
    processes: [
      ...(usesSandbox ? [sandbox] : []),
      process('auth', 'services/auth/main.ts', own.AUTH_PORT, `gRPC and health, ${at(own.AUTH_PORT)}`),
      process(
        'openstack',
        'services/openstack/main.ts',
        own.OPENSTACK_PORT,
        `gRPC and health, ${at(own.OPENSTACK_PORT)}`,
      ),
      process('slice', 'services/slice/main.ts', own.SLICE_PORT, `gRPC and health, ${at(own.SLICE_PORT)}`),
      process(
        'gateway',
        'gateway/main.ts',
        own.GATEWAY_PORT,
        `REST, ${at(own.GATEWAY_PORT)}, documented at ${at(own.GATEWAY_PORT)}/docs`,
        '/health',
      ),
    ],
    hints: usesSandbox
      ? ['OpenStack is the built-in sandbox; users: testuser/testpass123 (student), admin/admin123 (admin)']
      : [`OpenStack is ${environment.OPENSTACK_AUTH_URL ?? environment.OS_AUTH_URL ?? environment.OS_CLOUD}`],
  };
}

/** Two processes cannot listen on one port. */
function samePorts(own: Readonly<Record<string, unknown>>): string[] {
  const ports = Object.entries(own).filter(([name, value]) => name.endsWith('_PORT') && value !== 0);
  return ports.flatMap(([name, port], index) => {
    const other = ports.slice(0, index).find(([, taken]) => taken === port)?.[0];
    return other ? [`${name} is ${port}, as ${other} is: each needs a port of its own`] : [];
  });
}

function sandboxCloud(port: number): Record<string, string> {
  return {
    OPENSTACK_AUTH_URL: `http://127.0.0.1:${port}/identity/v3`,
    OPENSTACK_USERNAME: 'admin',
    OPENSTACK_PASSWORD: SANDBOX_PASSWORD,
    OPENSTACK_PROJECT_NAME: 'admin',
    OPENSTACK_USER_DOMAIN_NAME: 'Default',
    OPENSTACK_PROJECT_DOMAIN_NAME: 'Default',
    OPENSTACK_REGION_NAME: 'RegionOne',
    SANDBOX_PORT: String(port),
  };
}

function sandboxAbout(port: number): string {
  return `OpenStack in memory, Keystone at http://127.0.0.1:${port}/identity/v3 (admin, ${SANDBOX_PASSWORD})`;
}

// A mesh of one machine makes its own secret: the published one would let anyone sign tokens.
function secretOf(dataDir: string): string {
  const file = join(dataDir, 'jwt.secret');
  if (!existsSync(file)) {
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(file, randomBytes(48).toString('base64url'), { mode: 0o600 });
  }
  return readFileSync(file, 'utf8').trim();
}

// The sandbox knows nothing of ours, its errors included: what it says is one problem.
function collect<T>(problems: Set<string>, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Failure) {
      for (const { field, message } of error.violations) problems.add(`${field} ${message}`);
    } else {
      problems.add((error as Error).message);
    }
    return undefined;
  }
}
