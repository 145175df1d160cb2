// How a Failure travels over gRPC: the status code and message, and a google.rpc.Status in `grpc-status-details-bin`
// with ErrorInfo, BadRequest and RetryInfo (AIP-193). The one table from our codes to gRPC's.

import { Metadata, type ServiceError, type StatusObject, status } from '@grpc/grpc-js';
import type { Any } from '#proto/google/protobuf/any.ts';
import { BadRequest, ErrorInfo, RetryInfo } from '#proto/google/rpc/error_details.ts';
import { Status } from '#proto/google/rpc/status.ts';
import { CODES, type Code, Failure, type FieldViolation } from './errors.ts';

const DETAILS = 'grpc-status-details-bin';
const DOMAIN = 'pucp-cloud-orchestrator';
const TYPE = 'type.googleapis.com/google.rpc.';
const NUMBER = Object.fromEntries(CODES.map((code) => [code, status[code]])) as Record<Code, number>;
// Headers have a size limit (8 KiB in many proxies); the message has the rest in words.
const MAX_VIOLATIONS = 50;
const MAX_MESSAGE = 3000;

/** What a server answers for a failure. Anything that is not a Failure is a bug and says nothing of itself. */
export function failureToGrpc(error: unknown): Partial<StatusObject> & { code: number; details: string } {
  const failure = asFailure(error);
  const code = NUMBER[failure.code];
  const message = failure.message.slice(0, MAX_MESSAGE);
  const metadata = new Metadata();
  const encoded = Status.encode({ code, message: '', details: details(failure) }).finish();
  metadata.set(DETAILS, Buffer.from(encoded));
  return { code, details: message, metadata };
}

/** The failure that a call to another service ended with. */
export function failureFromGrpc(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (!isServiceError(error)) return asFailure(error);
  const code = CODES.find((name) => NUMBER[name] === error.code) ?? 'UNKNOWN';
  const packed = error.metadata?.get(DETAILS)[0];
  const found = packed instanceof Buffer ? unpack(packed) : undefined;
  if (!found) return transportFailure(code, error);
  return new Failure({ code, message: error.details, cause: error, ...found });
}

function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure({ code: 'INTERNAL', reason: 'INTERNAL', message: 'Internal error', cause: error });
}

// Without details it was not one of our services that spoke but grpc-js itself: no connection, deadline, cancelled.
function transportFailure(code: Code, error: ServiceError): Failure {
  const words: Partial<Record<Code, string>> = {
    UNAVAILABLE: 'Service unavailable: it did not answer; try again shortly',
    DEADLINE_EXCEEDED: 'Service timeout: it took too long to answer',
    CANCELLED: 'The call was cancelled',
    UNIMPLEMENTED: 'The service does not offer this',
    RESOURCE_EXHAUSTED: 'The message is too large',
  };
  const reason =
    code === 'UNAVAILABLE' ? 'SERVICE_UNAVAILABLE' : code === 'DEADLINE_EXCEEDED' ? 'SERVICE_TIMEOUT' : code;
  const message = words[code] ?? 'Internal error';
  return new Failure({
    code,
    reason,
    message,
    cause: error,
    ...(code === 'UNAVAILABLE' ? { retryAfterS: 2 } : {}),
  });
}

function details(failure: Failure): Any[] {
  const { reason, metadata, violations, retryAfterS, retryable } = failure;
  const info = {
    reason,
    domain: DOMAIN,
    metadata: { ...metadata, ...(retryable ? { retryable: 'true' } : {}) },
  };
  const list: Any[] = [{ typeUrl: `${TYPE}ErrorInfo`, value: Buffer.from(ErrorInfo.encode(info).finish()) }];
  if (violations.length > 0) {
    const fieldViolations = violations.slice(0, MAX_VIOLATIONS).map(({ field, message }) => ({
      field,
      description: message,
      reason: '',
      localizedMessage: undefined,
    }));
    list.push({
      typeUrl: `${TYPE}BadRequest`,
      value: Buffer.from(BadRequest.encode({ fieldViolations }).finish()),
    });
  }
  if (retryAfterS !== undefined) {
    const retryDelay = { seconds: Math.ceil(retryAfterS), nanos: 0 };
    list.push({ typeUrl: `${TYPE}RetryInfo`, value: Buffer.from(RetryInfo.encode({ retryDelay }).finish()) });
  }
  return list;
}

type Unpacked = {
  reason: string;
  metadata: Record<string, string>;
  violations: FieldViolation[];
  retryAfterS?: number;
  retryable?: boolean;
};

function unpack(bytes: Buffer): Unpacked | undefined {
  const found: Unpacked = { reason: 'UNKNOWN', metadata: {}, violations: [] };
  try {
    for (const { typeUrl, value } of Status.decode(bytes).details) {
      if (typeUrl === `${TYPE}ErrorInfo`) {
        const { retryable, ...metadata } = ErrorInfo.decode(value).metadata;
        found.reason = ErrorInfo.decode(value).reason;
        found.metadata = metadata;
        found.retryable = retryable === 'true';
      } else if (typeUrl === `${TYPE}BadRequest`) {
        const { fieldViolations } = BadRequest.decode(value);
        found.violations = fieldViolations.map(({ field, description }) => ({ field, message: description }));
      } else if (typeUrl === `${TYPE}RetryInfo`) {
        const delay = RetryInfo.decode(value).retryDelay;
        if (delay) found.retryAfterS = delay.seconds;
      }
    }
    return found;
  } catch {
    return undefined;
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}
