// Reading the environment: defaults beside names, every mistake in one message, secrets that do not print. Only the
// `config.ts` of a process calls this.

import { inspect } from 'node:util';
import { z } from 'zod';
import { Failure } from './errors.ts';

/** Published with the original system: refused in production. */
export const DEFAULT_JWT_SECRETS = [
  'pucp-cloud-secret-2025',
  'pucp-cloud-secret-2025-change-in-production',
] as const;

/** A value that shows itself only to who asks for it by name. */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  reveal(): string {
    return this.#value;
  }
  toString(): string {
    return '[secret]';
  }
  toJSON(): string {
    return '[secret]';
  }
  [inspect.custom](): string {
    return '[secret]';
  }
}

const text = (fallback?: string) => (fallback === undefined ? z.string() : z.string().default(fallback));

/** Kinds of variables. A variable that is set to nothing counts as not set. */
export const fields = {
  text,
  optionalText: () => z.string().optional(),
  secret: (fallback?: string) => text(fallback).transform((value) => new Secret(value)),
  optionalSecret: () =>
    z
      .string()
      .optional()
      .transform((value) => (value === undefined ? undefined : new Secret(value))),
  port: (fallback: number) =>
    z.coerce
      .number('must be a port, 0 to 65535')
      .int('must be a port, 0 to 65535')
      .min(0)
      .max(65535)
      .default(fallback),
  url: (fallback?: string) => text(fallback).refine(isUrl, 'must be a URL such as http://localhost:5000'),
  optionalUrl: () => z.string().refine(isUrl, 'must be a URL such as http://localhost:5000').optional(),
  int: (fallback: number, { min, max }: { min: number; max: number }) => {
    const words = `must be a whole number from ${min} to ${max}`;
    return z.coerce.number(words).int(words).min(min, words).max(max, words).default(fallback);
  },
  flag: (fallback: boolean) =>
    z
      .enum(['true', 'false', '1', '0', 'yes', 'no'], 'must be true or false')
      .optional()
      .transform((value) =>
        value === undefined ? fallback : value === 'true' || value === '1' || value === 'yes',
      ),
  choice: <const T extends readonly [string, ...string[]]>(values: T, fallback: T[number]) =>
    z.enum(values, `must be one of ${values.join(', ')}`).default(fallback as never),
  list: (fallback: readonly string[]) =>
    z
      .string()
      .optional()
      .transform((value) =>
        value === undefined
          ? fallback
          : value
              .split(',')
              .map((part) => part.trim())
              .filter(Boolean),
      ),
};

/** What every process reads. */
export const baseShape = {
  ENVIRONMENT: fields.choice(['development', 'test', 'production'], 'development'),
  LOG_LEVEL: fields.choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'info'),
  LOG_DIR: fields.optionalText(),
  HOST: fields.text('127.0.0.1'),
  JWT_SECRET_KEY: fields.secret(DEFAULT_JWT_SECRETS[0]),
  TOKEN_EXPIRATION_HOURS: fields.int(24, { min: 1, max: 24 * 30 }),
  DATA_DIR: fields.text('.data'),
  AUTH_SERVICE_URL: fields.url('http://localhost:5001'),
  SLICE_SERVICE_URL: fields.url('http://localhost:5002'),
  OPENSTACK_SERVICE_URL: fields.url('http://localhost:5006'),
  LINUX_SERVICE_URL: fields.optionalUrl(),
} as const;

/** What every process with a database reads besides. */
export const databaseShape = {
  DATABASE_URL: z
    .string()
    .refine((value) => /^postgres(ql)?:\/\//.test(value), 'must begin with postgres://')
    .transform((value) => new Secret(value)),
  DATABASE_POOL: fields.int(10, { min: 3, max: 100 }),
} as const;

/**
 * Reads variables by a table of kinds. Throws one INVALID_CONFIG failure that names every missing or wrong variable;
 * `problems` are further ones that the caller found.
 */
export function loadConfig<S extends z.ZodRawShape>(
  shape: S,
  env: Readonly<Record<string, string | undefined>>,
  problems: readonly string[] = [],
): z.infer<z.ZodObject<S>> {
  const set = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = z.object(shape).safeParse(set);
  const all = [
    ...(parsed.success ? [] : parsed.error.issues.map((issue) => describe(issue, set))),
    ...secretProblems(set),
    ...problems,
  ];
  if (!parsed.success || all.length > 0) throw invalidConfig(all);
  return parsed.data;
}

/**
 * The failure that stops a start: one message for everything that is wrong with the environment. Each problem begins
 * with its variable's name; `violations` has them one by one.
 */
export function invalidConfig(problems: readonly string[]): Failure {
  return new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'INVALID_CONFIG',
    message: `The environment is not usable:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    violations: problems.map((problem) => {
      const [field = '', ...words] = problem.split(' ');
      return { field, message: words.join(' ') };
    }),
  });
}

function describe(issue: z.core.$ZodIssue, set: Readonly<Record<string, unknown>>): string {
  const name = issue.path.join('.');
  return `${name} ${name in set ? issue.message : 'is not set'}`;
}

// RFC 8725 section 3.5: a key that attackers know, or can guess, signs anything.
function secretProblems(env: Readonly<Record<string, string | undefined>>): string[] {
  if (env.ENVIRONMENT !== 'production') return [];
  const secret = env.JWT_SECRET_KEY ?? '';
  if (secret === '' || (DEFAULT_JWT_SECRETS as readonly string[]).includes(secret)) {
    return [
      'JWT_SECRET_KEY is the published default; in production set a random one: openssl rand -base64 48',
    ];
  }
  if (Buffer.byteLength(secret) < 32) {
    return [
      'JWT_SECRET_KEY is shorter than 32 bytes; in production set a longer one: openssl rand -base64 48',
    ];
  }
  return [];
}

function isUrl(value: string): boolean {
  return URL.canParse(value) && /^(https?|dns|static):/.test(value);
}
