// What the slice service reads from the environment.

import { baseShape, databaseShape, fields, loadConfig, type Secret } from '#common/config.ts';
import type { SpecLimits } from '#engine/spec/check.ts';
import type { UserLimits } from './admission.ts';
import type { DriverName } from './drivers.ts';
import type { Retention } from './history-store.ts';
import type { LifetimeLimits } from './lifetime.ts';

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
  /** How much of the past is kept. */
  readonly history: Retention;
  readonly lifetime: LifetimeLimits;
  /** Time between two looks at what the clouds hold of a slice; 0 if there are to be none by the clock. */
  readonly checkIntervalS: number;
};

const shape = {
  ...baseShape,
  ...databaseShape,
  SLICE_PORT: fields.port(5002),
  HISTORY_RETENTION_DAYS: fields.int(30, { min: 1, max: 3_650 }),
  HISTORY_MAX_PER_SLICE: fields.int(20_000, { min: 100, max: 10_000_000 }),
  SLICE_CHECK_INTERVAL_S: fields.int(300, { min: 0, max: 86_400 }),
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
  SLICE_MAX_LIFETIME_DAYS: fields.int(180, { min: 0, max: 36_500 }),
  SLICE_DEFAULT_LIFETIME_DAYS: fields.int(0, { min: 0, max: 36_500 }),
  SLICE_MAX_RENEWALS: fields.int(10, { min: 0, max: 10_000 }),
  SLICE_REMINDER_HOURS: fields.list(['24', '1']),
} as const;

/** Every variable that the slice service knows. */
export const variables: readonly string[] = Object.keys(shape);

/** Throws INVALID_CONFIG naming everything that is wrong. */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): SliceConfig {
  const set = loadConfig(shape, env, lifetimeProblems(env));
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
    checkIntervalS: set.SLICE_CHECK_INTERVAL_S,
    specLimits: {
      nodes: set.MAX_VMS_PER_SLICE,
      networks: set.MAX_NETWORKS_PER_SLICE,
      links: set.MAX_LINKS_PER_SLICE,
    },
    history: { days: set.HISTORY_RETENTION_DAYS, perSlice: set.HISTORY_MAX_PER_SLICE },
    userLimits: {
      slices: set.MAX_SLICES_PER_USER,
      vcpus: set.MAX_VCPUS_PER_USER,
      ramMib: set.MAX_RAM_PER_USER,
      diskGib: set.MAX_DISK_PER_USER,
    },
    lifetime: {
      maxDays: set.SLICE_MAX_LIFETIME_DAYS,
      defaultDays: set.SLICE_DEFAULT_LIFETIME_DAYS,
      maxRenewals: set.SLICE_MAX_RENEWALS,
      reminderHours: set.SLICE_REMINDER_HOURS.map(Number),
    },
  };
}

/** What is wrong with variables that are not judged one by one. */
function lifetimeProblems(env: Readonly<Record<string, string | undefined>>): string[] {
  const hours = (env.SLICE_REMINDER_HOURS ?? '').split(',').filter((part) => part.trim() !== '');
  const most = Number(env.SLICE_MAX_LIFETIME_DAYS || shape.SLICE_MAX_LIFETIME_DAYS.parse(undefined));
  const usual = Number(env.SLICE_DEFAULT_LIFETIME_DAYS || 0);
  return [
    ...(hours.every((part) => Number(part) > 0)
      ? []
      : ['SLICE_REMINDER_HOURS must be positive numbers such as 24,1']),
    ...(most > 0 && usual > most
      ? [`SLICE_DEFAULT_LIFETIME_DAYS must not be over SLICE_MAX_LIFETIME_DAYS, ${most}`]
      : []),
  ];
}
