// Telling a database that is away from a mistake of ours: the first passes, and is said in words.

import { Failure } from './errors.ts';

// https://www.postgresql.org/docs/current/errcodes-appendix.html: 08 connection exceptions, 57P01 to 57P03 server
// shutting down or starting, 53300 too many connections. The others are the operating system's.
const AWAY = /^(08\w{3}|57P0[123]|53300|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT)$/;
const WORDS =
  /Connection terminated|Timeout acquiring a connection|Client has encountered a connection error|Unable to acquire a connection/i;

/** UNAVAILABLE with a retry delay if the error says that PostgreSQL cannot be reached; the error itself otherwise. */
export function databaseFailure(error: unknown): unknown {
  if (error instanceof Failure || !(error instanceof Error)) return error;
  const code = 'code' in error ? String(error.code) : '';
  if (!AWAY.test(code) && !WORDS.test(error.message)) return error;
  return new Failure({
    code: 'UNAVAILABLE',
    reason: 'DATABASE_UNREACHABLE',
    message: 'The database does not answer for now; try again shortly',
    retryAfterS: 2,
    cause: error,
  });
}
