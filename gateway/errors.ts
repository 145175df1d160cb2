// Every error over REST has one shape, and the table from gRPC codes to HTTP statuses is here and nowhere else.

import { type Code, causeChain, Failure, type FailureOptions } from '#common/errors.ts';

/** A refusal that HTTP has a status of its own for, such as 405 or 413; its code is the nearest of gRPC's. */
export class HttpFailure extends Failure {
  readonly status: number;
  constructor(status: number, options: FailureOptions) {
    super(options);
    this.status = status;
  }
}

// As grpc-gateway's runtime/errors.go. 499 is nginx's "client closed request".
const STATUS: Readonly<Record<Code, number>> = {
  CANCELLED: 499,
  UNKNOWN: 500,
  INVALID_ARGUMENT: 400,
  DEADLINE_EXCEEDED: 504,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 400,
  ABORTED: 409,
  OUT_OF_RANGE: 400,
  UNIMPLEMENTED: 501,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DATA_LOSS: 500,
  UNAUTHENTICATED: 401,
};

/** The HTTP status of a code. */
export function statusOf(code: Code): number {
  return STATUS[code];
}

export type ErrorBody = {
  /** For people. The original's clients read this one. */
  readonly error: string;
  readonly code: Code;
  readonly reason: string;
  /** Every mistake in the request, each with its field. */
  readonly details: readonly { readonly field: string; readonly message: string }[];
  /** Facts for programs, such as `limit` and `used`. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly request_id: string;
};

export type ErrorReply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorBody;
};

/** What a client is told. Whatever is no Failure is a bug and says nothing of itself. */
export function errorReply(error: unknown, requestId: string): ErrorReply {
  const failure = toFailure(error);
  const status = statusOfFailure(failure);
  const headers: Record<string, string> = {};
  if (status === 401) headers['www-authenticate'] = challenge(failure.reason);
  if ((status === 429 || status === 503) && failure.retryAfterS !== undefined)
    headers['retry-after'] = String(Math.max(1, Math.ceil(failure.retryAfterS)));
  const hasMetadata = Object.keys(failure.metadata).length > 0;
  const body: ErrorBody = {
    error: failure.message,
    code: failure.code,
    reason: failure.reason,
    details: failure.violations.map(({ field, message }) => ({ field, message })),
    ...(hasMetadata ? { metadata: failure.metadata } : {}),
    request_id: requestId,
  };
  return { status, headers, body };
}

/** The failure that an error is told as. Fastify's own errors carry a status and words that are meant for clients. */
function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  if (!(error instanceof Error) || !(status >= 400 && status < 500))
    return new Failure({ code: 'INTERNAL', reason: 'INTERNAL', message: 'Internal error', cause: error });
  const reason = 'code' in error ? String(error.code) : 'BAD_REQUEST';
  return new HttpFailure(status, { code: 'INVALID_ARGUMENT', reason, message: error.message, cause: error });
}

/** What the operator is to know of an error, or nothing if it is the client's. */
export function errorReport(
  error: unknown,
): { level: 'error' | 'warn'; fields: Record<string, unknown> } | undefined {
  const failure = toFailure(error);
  const status = statusOfFailure(failure);
  if (status < 500) return undefined;
  const { code, reason } = failure;
  const stack = status === 500 && error instanceof Error ? { stack: error.stack } : {};
  return {
    level: status === 500 ? 'error' : 'warn',
    fields: { code, reason, causes: causeChain(error), ...stack },
  };
}

function statusOfFailure(failure: Failure): number {
  return failure instanceof HttpFailure ? failure.status : STATUS[failure.code];
}

// RFC 6750 section 3: a request that showed no token is not told of an error in one.
function challenge(reason: string): string {
  const realm = 'Bearer realm="pucp-cloud-orchestrator"';
  if (reason !== 'TOKEN_EXPIRED' && reason !== 'TOKEN_INVALID' && reason !== 'TOKEN_REVOKED') return realm;
  return `${realm}, error="invalid_token"`;
}
