// The one error type. `code` is the gRPC name, `reason` a stable UPPER_SNAKE word for programs, `message` a sentence
// for the user, `cause` what the operator needs. How it travels over gRPC lies in `error-wire.ts`.

export const CODES = [
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

export type Code = (typeof CODES)[number];

/** A mistake in one field of a request: its path (`nodes[0].image`) and what is wrong with it and what to do. */
export type FieldViolation = { readonly field: string; readonly message: string };

export type FailureOptions = {
  readonly code: Code;
  /** Stable, UPPER_SNAKE, at most 63 characters: what programs branch on. */
  readonly reason: string;
  /** For the user: what was tried, on which name, what to do next. */
  readonly message: string;
  /** Every mistake in the request, when the request is at fault. */
  readonly violations?: readonly FieldViolation[];
  /** Facts for programs, such as `needed`, `used`, `limit`. Never secrets. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Seconds after which trying again makes sense; sent as RetryInfo and Retry-After. */
  readonly retryAfterS?: number;
  /** Whether the same attempt may succeed later without anyone doing anything. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
};

/** Anything that went wrong and that someone was told about in words. Whatever else is thrown is a bug. */
export class Failure extends Error {
  readonly code: Code;
  readonly reason: string;
  readonly violations: readonly FieldViolation[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryAfterS: number | undefined;
  readonly retryable: boolean;

  constructor(options: FailureOptions) {
    super(options.message, { cause: options.cause });
    this.name = 'Failure';
    this.code = options.code;
    this.reason = options.reason;
    this.violations = options.violations ?? [];
    this.metadata = options.metadata ?? {};
    this.retryAfterS = options.retryAfterS;
    this.retryable =
      options.retryable ?? (options.code === 'UNAVAILABLE' || options.code === 'DEADLINE_EXCEEDED');
  }
}

/** A request with mistakes; the message repeats them so that it helps where details are not shown. */
export function invalid(violations: readonly FieldViolation[], reason = 'INVALID_REQUEST'): Failure {
  const message = violations.map((v) => `${v.field}: ${v.message}`).join('; ');
  return new Failure({ code: 'INVALID_ARGUMENT', reason, message, violations });
}

/** Something that does not exist, or that the caller may not know of: both look the same. */
export function notFound(what: string, name: string): Failure {
  return new Failure({
    code: 'NOT_FOUND',
    reason: `${what.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}_NOT_FOUND`,
    message: `${what.charAt(0).toUpperCase()}${what.slice(1)} "${name}" not found`,
  });
}

/** The causes from the outside in, each with its name and message, for the log. */
export function causeChain(error: unknown): string[] {
  const chain: string[] = [];
  for (let at = error; at !== undefined && at !== null && chain.length < 10; ) {
    chain.push(at instanceof Error ? `${at.name}: ${at.message}` : String(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return chain;
}

/** Throws the signal's reason as a Failure if the work was called off. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw cancelled(signal.reason);
}

/** Work that was called off by its caller. */
export function cancelled(cause?: unknown): Failure {
  if (cause instanceof Failure) return cause;
  return new Failure({ code: 'CANCELLED', reason: 'CANCELLED', message: 'The call was cancelled', cause });
}
