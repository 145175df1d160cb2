// What the standalone sandbox reads from its environment. All mistakes are reported together.

import { join } from 'node:path';

export type Config = {
  readonly host: string;
  readonly port: number;
  readonly buildDelayMs: number;
  readonly hypervisors: number;
  readonly adminPassword: string | undefined;
  /** undefined keeps nothing. */
  readonly persistTo: string | undefined;
  readonly logLevel: string;
  readonly logDirectory: string | undefined;
};

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** Throws one error that names every wrong variable. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const mistakes: string[] = [];
  const wholeNumber = (name: string, fallback: number, least: number, most: number): number => {
    const text = env[name];
    if (text === undefined || text === '') return fallback;
    const number = Number(text);
    if (Number.isInteger(number) && number >= least && number <= most) return number;
    mistakes.push(`${name} must be a whole number from ${least} to ${most}, not "${text}"`);
    return fallback;
  };
  const logLevel = env.LOG_LEVEL?.toLowerCase() || 'info';
  if (!LEVELS.includes(logLevel))
    mistakes.push(`LOG_LEVEL must be one of ${LEVELS.join(', ')}, not "${logLevel}"`);
  const config: Config = {
    host: env.SANDBOX_HOST || '127.0.0.1',
    port: wholeNumber('SANDBOX_PORT', 5090, 0, 65_535),
    buildDelayMs: wholeNumber('SANDBOX_BUILD_MS', 1500, 0, 3_600_000),
    hypervisors: wholeNumber('SANDBOX_HYPERVISORS', 3, 1, 1000),
    adminPassword: env.SANDBOX_ADMIN_PASSWORD || undefined,
    persistTo: env.DATA_DIR ? join(env.DATA_DIR, 'sandbox.json') : undefined,
    logLevel,
    logDirectory: env.LOG_DIR || undefined,
  };
  if (mistakes.length > 0) throw new Error(`the sandbox cannot start: ${mistakes.join('; ')}`);
  return config;
}
