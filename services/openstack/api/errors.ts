// The one table from what a cloud answers to a Failure, with terminal or retryable decided here and nowhere else.
// Whose fault it is matters: a 401 or 403 from OpenStack is about the configured credentials, never about the user's token.

import { type Code, Failure } from '#common/errors.ts';
import { type ErrorBody, parseErrorBody } from './error-body.ts';
import { SERVICE_TITLES, type ServiceName } from './settings.ts';

type Verdict = { readonly code: Code; readonly reason: string; readonly retryable: boolean };
type Answer = ErrorBody & { readonly service: ServiceName; readonly status: number };
type Rule = Verdict & { readonly when: (answer: Answer) => boolean };

const rule = (code: Code, reason: string, retryable: boolean, when: Rule['when']): Rule => ({
  code,
  reason,
  retryable,
  when,
});
const status =
  (...list: readonly number[]) =>
  (a: Answer) =>
    list.includes(a.status);
const says =
  (pattern: RegExp, ...list: readonly number[]) =>
  (a: Answer) =>
    (list.length === 0 || list.includes(a.status)) && pattern.test(a.message);
const type = (pattern: RegExp) => (a: Answer) => pattern.test(a.type);

/** The first rule that fits decides. Checked against Zed; the words in the patterns are OpenStack's own. */
const RULES: readonly Rule[] = [
  // Nova 403 "Quota exceeded for …" and 403 "Exceeded the maximum number of…", Cinder 413 overLimit, Neutron 409 OverQuota.
  rule('RESOURCE_EXHAUSTED', 'QUOTA_EXCEEDED', false, type(/^OverQuota$/)),
  rule(
    'RESOURCE_EXHAUSTED',
    'QUOTA_EXCEEDED',
    false,
    says(/quota exceeded|exceeds (the )?(allowed|project) .*quota/i, 403, 413),
  ),
  rule(
    'UNAVAILABLE',
    'CLOUD_RATE_LIMITED',
    true,
    (a) => status(429, 498)(a) || (a.status === 413 && /rate/i.test(a.message)),
  ),
  rule('RESOURCE_EXHAUSTED', 'QUOTA_EXCEEDED', false, status(413)),
  rule(
    'RESOURCE_EXHAUSTED',
    'ADDRESSES_EXHAUSTED',
    false,
    type(/^(IpAddressGenerationFailure|ExternalIpAddressExhausted|SubnetPoolQuotaExceeded)/),
  ),
  rule('RESOURCE_EXHAUSTED', 'ADDRESSES_EXHAUSTED', false, says(/no more ip addresses available/i)),
  rule('RESOURCE_EXHAUSTED', 'NETWORKS_EXHAUSTED', false, type(/^NoNetworkAvailable$/)),
  rule('RESOURCE_EXHAUSTED', 'NO_VALID_HOST', false, says(/no valid host|not enough hosts available/i)),

  rule('FAILED_PRECONDITION', 'AUTHENTICATION_FAILED', false, status(401)),
  rule('FAILED_PRECONDITION', 'CLOUD_FORBIDDEN', false, status(403)),
  rule('NOT_FOUND', 'ITEM_NOT_FOUND', false, status(404, 410)),
  rule('UNIMPLEMENTED', 'NOT_SUPPORTED', false, status(405, 501)),
  rule('FAILED_PRECONDITION', 'MICROVERSION_UNSUPPORTED', false, status(406)),
  rule('ABORTED', 'REVISION_CHANGED', true, status(412)),

  // Order of deletion: what uses it goes first, so the same call succeeds later.
  rule(
    'ALREADY_EXISTS',
    'ADDRESS_IN_USE',
    false,
    type(/^(IpAddressInUse|MacAddressInUse|IpAddressAlreadyAllocated)$/),
  ),
  rule('ALREADY_EXISTS', 'VLAN_IN_USE', false, type(/^(VlanIdInUse|FlatNetworkInUse|TunnelIdInUse)$/)),
  rule('ABORTED', 'IN_USE', true, type(/InUse/)),
  rule('ABORTED', 'IN_USE', true, (a) => a.service === 'glance' && a.status === 409),
  rule('ALREADY_EXISTS', 'ALREADY_EXISTS', false, (a) => a.service === 'keystone' && a.status === 409),
  rule('ALREADY_EXISTS', 'ALREADY_EXISTS', false, says(/already exists/i, 400, 409)),
  rule('ALREADY_EXISTS', 'INTERFACE_EXISTS', false, says(/router already has a port on subnet/i, 400)),
  rule('ABORTED', 'CONFLICT_BUSY', true, status(409)),
  // Cinder says 400 where others say 409: "Volume status must be available or …", "… must not be … attached, have snapshots".
  rule(
    'ABORTED',
    'IN_USE',
    true,
    (a) => a.service === 'cinder' && says(/status must be|must not be|currently attached/i, 400)(a),
  ),

  rule('INVALID_ARGUMENT', 'CLOUD_REFUSED', false, (a) => a.status >= 400 && a.status < 500),
  rule('UNAVAILABLE', 'CLOUD_ERROR', true, (a) => a.status >= 500),
];

/** An answer no rule knows: a redirect that is not followed, a 1xx. */
const UNEXPECTED: Verdict = { code: 'UNAVAILABLE', reason: 'CLOUD_ERROR', retryable: false };

export type CloudAnswer = {
  readonly service: ServiceName;
  readonly status: number;
  readonly contentType?: string | undefined;
  readonly body: string;
  /** What was tried, as the end of "could not …": `create the server "vm1"`. */
  readonly what: string;
  readonly requestId?: string | undefined;
  readonly retryAfterS?: number | undefined;
};

/** The Failure for an answer that is not the one wanted. */
export function cloudFailure(answer: CloudAnswer): Failure {
  const { service, status, what } = answer;
  const parsed = parseErrorBody(answer.body, answer.contentType);
  const verdict = RULES.find((one) => one.when({ ...parsed, service, status })) ?? UNEXPECTED;
  const said = parsed.message === '' ? `it answered with status ${status}` : parsed.message;
  return new Failure({
    code: verdict.code,
    reason: verdict.reason,
    retryable: verdict.retryable,
    message: `${SERVICE_TITLES[service]} could not ${what}: ${advice(verdict.reason, said)}`,
    retryAfterS: answer.retryAfterS,
    metadata: {
      service,
      status: String(status),
      ...(answer.requestId === undefined ? {} : { request_id: answer.requestId }),
      ...(parsed.type === '' ? {} : { type: parsed.type }),
    },
  });
}

function advice(reason: string, said: string): string {
  if (reason === 'AUTHENTICATION_FAILED') {
    return `OpenStack does not accept the credentials this orchestrator is configured with (${said}); an operator must correct them`;
  }
  if (reason === 'CLOUD_FORBIDDEN') {
    return `the credentials this orchestrator is configured with may not do that (${said})`;
  }
  return said;
}

/** The Failure for what stands in a server's `fault` once it is in ERROR: nobody but its owner can help it. */
export function faultFailure(name: string, fault: { message?: string; code?: number } | undefined): Failure {
  const said = fault?.message ?? 'Nova gave no reason';
  const noHost = /no valid host|exhausted all hosts/i.test(said);
  return new Failure({
    code: noHost ? 'RESOURCE_EXHAUSTED' : 'FAILED_PRECONDITION',
    reason: noHost ? 'NO_VALID_HOST' : 'SERVER_FAULT',
    message: `Server "${name}" failed: ${said}`,
    retryable: false,
    metadata: { service: 'nova', ...(fault?.code === undefined ? {} : { status: String(fault.code) }) },
  });
}

/** Whether a failed call says that the service itself is sick, which is what its breaker counts. */
export function isSick(error: unknown): boolean {
  if (!(error instanceof Failure)) return false;
  return ['CLOUD_UNREACHABLE', 'CLOUD_TIMEOUT', 'CLOUD_ERROR', 'CLOUD_GARBAGE'].includes(error.reason);
}

/** Absent is done: turns NOT_FOUND of a delete into success. */
export async function absentIsDone(deletion: Promise<unknown>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (!(error instanceof Failure && error.code === 'NOT_FOUND')) throw error;
  }
}
