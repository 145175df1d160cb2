// One JSON line per event on stdout and, if LOG_DIR is set, in `<LOG_DIR>/<service>.log`. Secrets are removed here and
// nowhere else.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';

export type Log = pino.Logger;

export type LogOptions = {
  readonly service: string;
  readonly level: string;
  /** A folder to write to besides stdout; made if absent. */
  readonly directory?: string | undefined;
};

/** Field names whose values are never written, at the top of a line or one or two levels down. */
export const SECRET_FIELDS = [
  'password',
  'adminPass',
  'admin_pass',
  'token',
  'access_token',
  'authorization',
  'Authorization',
  'x-auth-token',
  'X-Auth-Token',
  'x-subject-token',
  'X-Subject-Token',
  'secret',
  'user_data',
  'userData',
  'private_key',
] as const;

const paths = SECRET_FIELDS.flatMap((name) => {
  const key = `["${name}"]`;
  return [key.slice(0), `*${key}`, `*.*${key}`];
});

/** Opens a service's log. Levels are pino's: trace, debug, info, warn, error, fatal, silent. */
export function createLog(options: LogOptions): Log {
  const streams: pino.StreamEntry[] = [{ level: 'trace', stream: process.stdout }];
  if (options.directory) {
    mkdirSync(options.directory, { recursive: true });
    const file = pino.destination({ dest: join(options.directory, `${options.service}.log`), sync: false });
    streams.push({ level: 'trace', stream: file });
  }
  return pino(
    {
      level: options.level,
      base: { service: options.service, pid: process.pid },
      redact: { paths, censor: '[redacted]' },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }) },
      serializers: { cause: pino.stdSerializers.errWithCause },
    },
    pino.multistream(streams),
  );
}

/** A log that writes nothing, for tests and tools. */
export const silentLog: Log = pino({ level: 'silent' });
