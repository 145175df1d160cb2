// The one table from what a cloud answers to a Failure, with terminal or retryable decided here and nowhere else.
// Whose fault it is matters: a 401 or 403 from OpenStack is about the configured credentials, never about the user's token.

import { type Code, Failure } from '#common/errors.ts';
import { type ErrorBody, parseErrorBody } from './error-body.ts';
import { SERVICE_TITLES, type ServiceName } from './settings.ts';

type Verdict = { readonly code: Code; readonly reason: string; readonly retryable: boolean };
type Answer = ErrorBody & {
  readonly service: ServiceName;
  readonly status: number;
  readonly retryAfterS: number | undefined;
};
type Test = (answer: Answer) => boolean;

const final = (code: Code, reason: string): Verdict => ({ code, reason, retryable: false });
const later = (code: Code, reason: string): Verdict => ({ code, reason, retryable: true });

const status =
  (...list: readonly number[]): Test =>
  (answer) =>
    list.includes(answer.status);
const type =
  (pattern: RegExp): Test =>
  (answer) =>
    pattern.test(answer.type);
const says =
  (pattern: RegExp, ...list: readonly number[]): Test =>
  (answer) =>
    (list.length === 0 || list.includes(answer.status)) && pattern.test(answer.message);
const from =
  (service: ServiceName, ...list: readonly number[]): Test =>
  (answer) =>
    answer.service === service && list.includes(answer.status);

const QUOTA = final('RESOURCE_EXHAUSTED', 'QUOTA_EXCEEDED');
const NO_ADDRESSES = final('RESOURCE_EXHAUSTED', 'ADDRESSES_EXHAUSTED');
const EXISTS = final('ALREADY_EXISTS', 'ALREADY_EXISTS');
const IN_USE = later('ABORTED', 'IN_USE');

/** The first test that fits decides. Checked against Zed; the words in the patterns are OpenStack's own. */
const RULES: readonly (readonly [Test, Verdict])[] = [
  // Neutron 409 OverQuota; Nova 403 "Quota exceeded for …", "Maximum number of ports exceeded"; Cinder 413 "… exceeds
  // allowed gigabytes quota". Nova of old limited rates with a 413 as well.
  [type(/^OverQuota$/), QUOTA],
  [says(/quota exceeded|exceeds .*quota|maximum number of .* exceeded/i, 403, 413), QUOTA],
  [status(429, 498), later('UNAVAILABLE', 'CLOUD_RATE_LIMITED')],
  [says(/rate|too many requests/i, 413), later('UNAVAILABLE', 'CLOUD_RATE_LIMITED')],
  // Of a quota Cinder says Retry-After: 0; whoever names a time means that it passes.
  [
    ({ status, retryAfterS = 0 }) => status === 413 && retryAfterS > 0,
    later('UNAVAILABLE', 'CLOUD_RATE_LIMITED'),
  ],
  [status(413), QUOTA],
  [type(/^(IpAddressGenerationFailure|ExternalIpAddressExhausted)/), NO_ADDRESSES],
  [says(/no more ip addresses available/i), NO_ADDRESSES],
  [type(/^NoNetworkAvailable$/), final('RESOURCE_EXHAUSTED', 'NETWORKS_EXHAUSTED')],
  [says(/no valid host|not enough hosts available/i), final('RESOURCE_EXHAUSTED', 'NO_VALID_HOST')],

  [status(401), final('FAILED_PRECONDITION', 'AUTHENTICATION_FAILED')],
  [status(403), final('FAILED_PRECONDITION', 'CLOUD_FORBIDDEN')],
  [status(404, 410), final('NOT_FOUND', 'ITEM_NOT_FOUND')],
  [status(405, 501), final('UNIMPLEMENTED', 'NOT_SUPPORTED')],
  [status(406), final('FAILED_PRECONDITION', 'MICROVERSION_UNSUPPORTED')],
  [status(412), later('ABORTED', 'REVISION_CHANGED')],

  // What is taken stays taken; what is in use is free once its user is gone, so the same call succeeds later.
  [
    type(/^(IpAddressInUse|MacAddressInUse|IpAddressAlreadyAllocated)$/),
    final('ALREADY_EXISTS', 'ADDRESS_IN_USE'),
  ],
  [type(/^(VlanIdInUse|FlatNetworkInUse|TunnelIdInUse)$/), final('ALREADY_EXISTS', 'VLAN_IN_USE')],
  [type(/^FloatingIPPortAlreadyAssociated$/), final('ALREADY_EXISTS', 'FLOATING_IP_PRESENT')],
  [type(/InUse/), IN_USE],
  // Until someone unlocks it.
  [says(/^Instance .* is locked/i, 409), final('FAILED_PRECONDITION', 'SERVER_LOCKED')],
  [from('glance', 409), IN_USE],
  // Cinder says 400 where others say 409, and Nova hands it on: "Invalid volume: Volume status must be available or …",
  // "Invalid volume: volume … is already attached to instances: …".
  [says(/^Invalid volume: /, 400), IN_USE],
  [from('keystone', 409), EXISTS],
  [says(/already exists/i, 400, 409), EXISTS],
  [says(/router already has a port on subnet/i, 400), final('ALREADY_EXISTS', 'INTERFACE_EXISTS')],
  [status(409), later('ABORTED', 'CONFLICT_BUSY')],

  [status(504), later('DEADLINE_EXCEEDED', 'CLOUD_TIMEOUT')],
  [({ status }) => status >= 500, later('UNAVAILABLE', 'CLOUD_ERROR')],
  [({ status }) => status >= 400, final('INVALID_ARGUMENT', 'CLOUD_REFUSED')],
];

/** A redirect elsewhere: the address is not quite the service's, and the token is not sent after it. */
const REDIRECTED = final('FAILED_PRECONDITION', 'CLOUD_REDIRECTED');

export type CloudAnswer = {
  readonly service: ServiceName;
  readonly status: number;
  readonly contentType?: string | undefined;
  readonly body: string;
  /** What was tried, as the end of "could not …": `create the server "vm1"`. */
  readonly what: string;
  /** The global id that was sent, and the cloud's own. */
  readonly requestId?: string | undefined;
  readonly cloudRequestId?: string | undefined;
  readonly retryAfterS?: number | undefined;
  /** Where a redirect leads. */
  readonly location?: string | undefined;
};

/** The Failure for an answer that is not the one wanted. */
export function cloudFailure(answer: CloudAnswer): Failure {
  const { service, status, what, retryAfterS, location } = answer;
  const parsed = parseErrorBody(answer.body, answer.contentType);
  const verdict =
    RULES.find(([test]) => test({ ...parsed, service, status, retryAfterS }))?.[1] ?? REDIRECTED;
  const said = parsed.message === '' ? `it answered with status ${status}` : parsed.message;
  return new Failure({
    code: verdict.code,
    reason: verdict.reason,
    retryable: verdict.retryable,
    message: `${SERVICE_TITLES[service]} could not ${what}: ${advice(verdict.reason, said, location)}`,
    // Cinder says Retry-After: 0 of a quota, which no waiting helps.
    retryAfterS: verdict.retryable ? retryAfterS : undefined,
    metadata: {
      service,
      status: String(status),
      ...(answer.cloudRequestId === undefined ? {} : { request_id: answer.cloudRequestId }),
      ...(answer.requestId === undefined ? {} : { global_request_id: answer.requestId }),
      ...(parsed.type === '' ? {} : { type: parsed.type }),
    },
  });
}

function advice(reason: string, said: string, location: string | undefined): string {
  if (reason === 'CLOUD_REDIRECTED') {
    const where =
      location !== undefined && URL.canParse(location) ? new URL(location).origin : 'another address';
    return `it redirects to ${where} (${said}); an operator must correct its address in the catalog, or OPENSTACK_AUTH_URL`;
  }
  if (reason === 'AUTHENTICATION_FAILED') {
    return `OpenStack does not accept the user, password, token or project this orchestrator is configured with (${said}); an operator must correct them`;
  }
  if (reason === 'CLOUD_FORBIDDEN') {
    return `the credentials this orchestrator is configured with may not do that (${said})`;
  }
  return said;
}

// Nova counts a project's servers again while it builds them: of two asked for side by side, the one too many ends in ERROR.
const FAULTS: readonly { words: RegExp; means: readonly [reason: string, code: Code] }[] = [
  { words: /no valid host|exhausted all hosts/i, means: ['NO_VALID_HOST', 'RESOURCE_EXHAUSTED'] },
  { words: /quota exceeded/i, means: ['QUOTA_EXCEEDED', 'RESOURCE_EXHAUSTED'] },
];
const OTHER_FAULT = ['SERVER_FAULT', 'FAILED_PRECONDITION'] as const;

/** The Failure for what stands in a server's `fault` once it is in ERROR: nobody but its owner can help it. */
export function faultFailure(name: string, fault: { message?: string; code?: number } | undefined): Failure {
  const said = fault?.message ?? 'Nova gave no reason';
  const [reason, code] = FAULTS.find(({ words }) => words.test(said))?.means ?? OTHER_FAULT;
  return new Failure({
    code,
    reason,
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
    if (!isNotFound(error)) throw error;
  }
}

/** Whether a call failed because what it names does not exist. */
export function isNotFound(error: unknown): boolean {
  return error instanceof Failure && error.code === 'NOT_FOUND';
}

/** For a `catch`: nothing in place of what does not exist. */
export function absentIsNone(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
}
