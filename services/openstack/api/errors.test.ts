import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseErrorBody } from './error-body.ts';
import { cloudFailure, faultFailure } from './errors.ts';
import type { ServiceName } from './settings.ts';

function failure(service: ServiceName, status: number, body: unknown) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return cloudFailure({ service, status, body: text, what: 'do it', cloudRequestId: 'req-1' });
}

const neutron = (type: string, message = 'said') => ({ NeutronError: { type, message, detail: '' } });

/** Service, status, body; code, reason, whether trying again may help. Bodies as Zed answered them. */
const CASES: readonly [ServiceName, number, unknown, string, string, boolean][] = [
  [
    'nova',
    403,
    { forbidden: { code: 403, message: 'Quota exceeded for instances: Requested 1' } },
    'RESOURCE_EXHAUSTED',
    'QUOTA_EXCEEDED',
    false,
  ],
  [
    'neutron',
    409,
    neutron('OverQuota', "Quota exceeded for resources: ['network']."),
    'RESOURCE_EXHAUSTED',
    'QUOTA_EXCEEDED',
    false,
  ],
  [
    'cinder',
    413,
    {
      overLimit: {
        code: 413,
        message:
          'VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota.',
      },
    },
    'RESOURCE_EXHAUSTED',
    'QUOTA_EXCEEDED',
    false,
  ],
  [
    'nova',
    413,
    { overLimit: { code: 413, message: 'This request was rate-limited.' } },
    'UNAVAILABLE',
    'CLOUD_RATE_LIMITED',
    true,
  ],
  ['nova', 429, '', 'UNAVAILABLE', 'CLOUD_RATE_LIMITED', true],
  ['neutron', 409, neutron('NetworkInUse'), 'ABORTED', 'IN_USE', true],
  ['neutron', 409, neutron('SubnetInUse'), 'ABORTED', 'IN_USE', true],
  ['neutron', 409, neutron('RouterInUse'), 'ABORTED', 'IN_USE', true],
  ['neutron', 409, neutron('PortInUse'), 'ABORTED', 'IN_USE', true],
  ['neutron', 409, neutron('SecurityGroupInUse'), 'ABORTED', 'IN_USE', true],
  ['neutron', 409, neutron('ServicePortInUse'), 'ABORTED', 'IN_USE', true],
  ['neutron', 409, neutron('VlanIdInUse'), 'ALREADY_EXISTS', 'VLAN_IN_USE', false],
  ['neutron', 409, neutron('IpAddressAlreadyAllocated'), 'ALREADY_EXISTS', 'ADDRESS_IN_USE', false],
  [
    'neutron',
    409,
    neutron('IpAddressGenerationFailure', 'No more IP addresses available on network x.'),
    'RESOURCE_EXHAUSTED',
    'ADDRESSES_EXHAUSTED',
    false,
  ],
  [
    'neutron',
    409,
    neutron('SecurityGroupRuleExists', 'Security group rule already exists.'),
    'ALREADY_EXISTS',
    'ALREADY_EXISTS',
    false,
  ],
  [
    'neutron',
    400,
    neutron('BadRequest', 'Bad router request: Router already has a port on subnet x.'),
    'ALREADY_EXISTS',
    'INTERFACE_EXISTS',
    false,
  ],
  [
    'neutron',
    400,
    neutron('InvalidInput', 'overlaps with another subnet.'),
    'INVALID_ARGUMENT',
    'CLOUD_REFUSED',
    false,
  ],
  [
    'neutron',
    409,
    neutron('FloatingIPPortAlreadyAssociated', 'Cannot associate floating IP x with port y'),
    'ALREADY_EXISTS',
    'FLOATING_IP_PRESENT',
    false,
  ],
  ['neutron', 409, neutron('RouterInterfaceInUseByFloatingIP'), 'ABORTED', 'IN_USE', true],
  ['keystone', 498, '', 'UNAVAILABLE', 'CLOUD_RATE_LIMITED', true],
  [
    'nova',
    409,
    { conflictingRequest: { code: 409, message: 'Instance 6a9c is locked' } },
    'FAILED_PRECONDITION',
    'SERVER_LOCKED',
    false,
  ],
  ['neutron', 412, neutron('RevisionNumberConstraintFailed'), 'ABORTED', 'REVISION_CHANGED', true],
  ['neutron', 404, neutron('NetworkNotFound'), 'NOT_FOUND', 'ITEM_NOT_FOUND', false],
  [
    'nova',
    409,
    { conflictingRequest: { code: 409, message: "Cannot 'start' instance while it is in vm_state active" } },
    'ABORTED',
    'CONFLICT_BUSY',
    true,
  ],
  [
    'nova',
    409,
    { conflictingRequest: { code: 409, message: "Key pair 'k' already exists." } },
    'ALREADY_EXISTS',
    'ALREADY_EXISTS',
    false,
  ],
  [
    'nova',
    400,
    { badRequest: { code: 400, message: 'Invalid volume: volume x is already attached to instances: y' } },
    'ABORTED',
    'IN_USE',
    true,
  ],
  [
    'cinder',
    400,
    { badRequest: { code: 400, message: 'Invalid volume: Volume status must be available or error' } },
    'ABORTED',
    'IN_USE',
    true,
  ],
  [
    'nova',
    406,
    { computeFault: { code: 406, message: 'Version 2.999 is not supported by the API.' } },
    'FAILED_PRECONDITION',
    'MICROVERSION_UNSUPPORTED',
    false,
  ],
  [
    'nova',
    500,
    { computeFault: { code: 500, message: 'Unexpected API Error.' } },
    'UNAVAILABLE',
    'CLOUD_ERROR',
    true,
  ],
  ['nova', 501, '', 'UNIMPLEMENTED', 'NOT_SUPPORTED', false],
  [
    'nova',
    401,
    { error: { code: 401, title: 'Unauthorized', message: 'requires authentication.' } },
    'FAILED_PRECONDITION',
    'AUTHENTICATION_FAILED',
    false,
  ],
  [
    'keystone',
    403,
    { error: { code: 403, title: 'Forbidden', message: 'You are not authorized: identity:create_project.' } },
    'FAILED_PRECONDITION',
    'CLOUD_FORBIDDEN',
    false,
  ],
  [
    'keystone',
    409,
    { error: { code: 409, title: 'Conflict', message: 'Conflict occurred attempting to store project' } },
    'ALREADY_EXISTS',
    'ALREADY_EXISTS',
    false,
  ],
  [
    'glance',
    409,
    '<html><body><h1>409 Conflict</h1>Image is in use</body></html>',
    'ABORTED',
    'IN_USE',
    true,
  ],
  ['glance', 302, '', 'FAILED_PRECONDITION', 'CLOUD_REDIRECTED', false],
];

for (const [service, status, body, code, reason, retryable] of CASES) {
  test(`${service} ${status} ${JSON.stringify(body).slice(0, 60)} is ${reason}`, () => {
    const {
      code: gotCode,
      reason: gotReason,
      retryable: gotRetryable,
      metadata,
    } = failure(service, status, body);
    assert.deepEqual([gotCode, gotReason, gotRetryable], [code, reason, retryable]);
    assert.equal(metadata.service, service);
    assert.equal(metadata.status, String(status));
    assert.equal(metadata.request_id, 'req-1');
  });
}

test('a quota is not told to be tried again later, although Cinder says so', () => {
  const body = JSON.stringify({
    overLimit: {
      code: 413,
      message: 'VolumeLimitExceeded: Maximum number of volumes allowed (0) exceeded for quota',
    },
  });
  const refused = cloudFailure({ service: 'cinder', status: 413, body, what: 'x', retryAfterS: 0 });
  assert.deepEqual([refused.reason, refused.retryAfterS], ['QUOTA_EXCEEDED', undefined]);
});

test('the message says what was tried and what the cloud said', () => {
  const body = { itemNotFound: { code: 404, message: 'Instance nope could not be found.' } };
  const { message } = cloudFailure({
    service: 'nova',
    status: 404,
    body: JSON.stringify(body),
    what: 'find server nope',
  });
  assert.equal(message, 'Nova could not find server nope: Instance nope could not be found.');
});

test('Glance’s page is read down to its sentence', () => {
  const html =
    '<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n  No image found with ID nope<br /><br />\n\n </body>\n</html>';
  assert.equal(parseErrorBody(html, 'text/html').message, 'No image found with ID nope');
  const json =
    '{"message": "No image found with ID nope<br /><br />\\n", "code": "404 Not Found", "title": "Not Found"}';
  assert.equal(parseErrorBody(json).message, 'No image found with ID nope');
});

test('whatever else stands in an error body is survived', () => {
  assert.equal(parseErrorBody('').message, '');
  assert.equal(parseErrorBody('{"NeutronError": "old and plain"}').message, 'old and plain');
  assert.equal(parseErrorBody('{broken', 'application/json').message, '{broken');
  assert.equal(parseErrorBody('null', 'application/json').message, '');
  assert.equal(
    parseErrorBody('{"errors": [{"status": 409, "title": "Conflict", "detail": "busy"}]}').message,
    'busy',
  );
  assert.equal(parseErrorBody('x'.repeat(10_000)).message.length, 500);
});

test('a server that found no host, or was one too many, says so in a word', () => {
  assert.equal(
    faultFailure('vm1', { code: 500, message: 'No valid host was found.' }).reason,
    'NO_VALID_HOST',
  );
  const exhausted =
    'Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures';
  assert.equal(faultFailure('vm1', { message: exhausted }).reason, 'NO_VALID_HOST');
  const late = 'Quota exceeded for instances: Requested 1, but already used 2 of 2 instances';
  const overQuota = faultFailure('vm1', { code: 403, message: late });
  assert.deepEqual([overQuota.code, overQuota.reason], ['RESOURCE_EXHAUSTED', 'QUOTA_EXCEEDED']);
  assert.equal(faultFailure('vm1', undefined).message, 'Server "vm1" failed: Nova gave no reason');
});
