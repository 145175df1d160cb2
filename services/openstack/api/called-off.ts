// How a call ends whose caller waits no longer: CANCELLED by someone who left, DEADLINE_EXCEEDED by a clock.

import { cancelled, Failure } from '#common/errors.ts';
import { wait } from '#common/time.ts';

/** The failure for a signal that has fired while nothing was under way yet. */
export function calledOff(signal: AbortSignal): Failure {
  const { reason } = signal;
  if (!isDeadline(reason) || reason instanceof Failure) return cancelled(reason);
  return new Failure({
    code: 'DEADLINE_EXCEEDED',
    reason: 'DEADLINE_EXCEEDED',
    message: "The caller's time ran out before OpenStack could be asked",
    cause: reason,
  });
}

/** Whether a signal's reason is that time ran out: a gRPC deadline, or AbortSignal.timeout. */
export function isDeadline(reason: unknown): boolean {
  if (reason instanceof Failure) return reason.code === 'DEADLINE_EXCEEDED';
  return reason instanceof DOMException && reason.name === 'TimeoutError';
}

/** Waits between two attempts, or ends as above. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(ms, signal);
  } catch {
    throw calledOff(signal);
  }
}
