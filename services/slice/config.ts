// What the slice service reads from the environment.

import { baseShape, databaseShape, fields, loadConfig, type Secret } from '#common/config.ts';
import type { SpecLimits } from '#engine/spec/check.ts';
import type { UserLimits } from './admission.ts';
import type { DriverName } from './drivers.ts';

export type SliceConfig = {
  readonly host: string;
  readonly port: number;
  readonly logLevel: string;
  readonly logDir: string | undefined;
  readonly jwtSecret: Secret;
  readonly databaseUrl: Secret;
  readonly databasePool: number;
  readonly authServiceUrl: string;
  /** Where each infrastructure's driver is; undefined if there is none. */
  readonly driverUrls: Readonly<Record<DriverName, string | undefined>>;
  /** How many slices one process works on at once. */
  readonly workers: number;
  readonly specLimits: SpecLimits;
  readonly userLimits: UserLimits;
};

const shape = {
  ...baseShape,
  ...databaseShape,
  SLICE_PORT: fields.port(5002),
  SLICE_WORKERS: fields.int(10, { min: 1, max: 200 }),
  MAX_SLICES_PER_USER: fields.int(10, { min: 0, max: 100_000 }),
  MAX_VMS_PER_SLICE: fields.int(20, { min: 1, max: 1_000 }),
  MAX_NETWORKS_PER_SLICE: fields.int(10, { min: 1, max: 1_000 }),
  MAX_LINKS_PER_SLICE: fields.int(100, { min: 0, max: 1_000 }),
  MAX_VCPUS_PER_USER: fields.int(50, { min: 0, max: 1_000_000 }),
  /** MiB. */
  MAX_RAM_PER_USER: fields.int(51_200, { min: 0, max: 1_000_000_000 }),
  /** GiB. */
  MAX_DISK_PER_USER: fields.int(500, { min: 0, max: 1_000_000_000 }),
} as const;

/** Every variable that the slice service knows. */
export const variables: readonly string[] = Object.keys(shape);

/** Throws INVALID_CONFIG naming everything that is wrong. */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): SliceConfig {
  const set = loadConfig(shape, env);
  return {
    host: set.HOST,
    port: set.SLICE_PORT,
    logLevel: set.LOG_LEVEL,
    logDir: set.LOG_DIR,
    jwtSecret: set.JWT_SECRET_KEY,
    databaseUrl: set.DATABASE_URL,
    databasePool: set.DATABASE_POOL,
    authServiceUrl: set.AUTH_SERVICE_URL,
    driverUrls: { linux: set.LINUX_SERVICE_URL, openstack: set.OPENSTACK_SERVICE_URL },
    workers: set.SLICE_WORKERS,
    specLimits: {
      nodes: set.MAX_VMS_PER_SLICE,
      networks: set.MAX_NETWORKS_PER_SLICE,
      links: set.MAX_LINKS_PER_SLICE,
    },
    userLimits: {
      slices: set.MAX_SLICES_PER_USER,
      vcpus: set.MAX_VCPUS_PER_USER,
      ramMib: set.MAX_RAM_PER_USER,
      diskGib: set.MAX_DISK_PER_USER,
    },
  };
}
