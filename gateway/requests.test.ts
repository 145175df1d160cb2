import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { type Asked, startWorld, testSchema } from './testing/world.ts';

const LOGIN = '/pucp.auth.v1.AuthService/Login';
const USERS = '/pucp.auth.v1.AuthService/ListUsers';
const SLICES = '/pucp.slice.v1.SliceService/ListSlices';
const CREATE = '/pucp.slice.v1.SliceService/CreateSlice';
const DEPLOY = '/pucp.slice.v1.SliceService/DeploySlice';
const DELETE = '/pucp.slice.v1.SliceService/DeleteSlice';
const LIBRARY = '/testing.library.v1.LibraryService';

type ErrorBody = { error: string; code: string; reason: string; details: unknown[]; request_id: string };

function post(body: unknown, headers: Record<string, string> = {}): RequestInit {
  return {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  };
}

async function failureOf(response: Response): Promise<ErrorBody> {
  const body = (await response.json()) as ErrorBody;
  assert.equal(typeof body.error, 'string');
  assert.equal(body.request_id, response.headers.get('x-request-id'));
  return body;
}

test('logging in as the documentation types it gives a token', async () => {
  await using world = await startWorld({ [LOGIN]: ({ request }) => ({ token: `for ${request.username}` }) });
  const body = '{"username": "testuser", "password": "testpass123"}';
  for (const path of ['/api/auth/login', '/login', '/login/']) {
    const response = await fetch(world.url + path, post(body));
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { token: 'for testuser', user: null, expires_in: 0 });
  }
});

test('an old token does not keep its owner from logging in', async () => {
  await using world = await startWorld({ [LOGIN]: () => ({ token: 't' }) });
  const response = await fetch(`${world.url}/login`, post({}, { authorization: 'Bearer expired.long.ago' }));
  assert.equal(response.status, 200);
  assert.deepEqual(world.asked[0]?.metadata.get('authorization'), []);
});

test('without a good token the answer is 401 and says what is wrong with it', async () => {
  await using world = await startWorld({});
  const good = await world.token();
  const expired = await world.token('student', -60);
  const [head = '', claims = '', signature = ''] = good.split('.');
  const admin = Buffer.from(JSON.stringify({ ...JSON.parse(atob(claims)), role: 'admin' })).toString(
    'base64url',
  );
  const none = `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${claims}.`;
  const cases: [string | undefined, string][] = [
    [undefined, 'TOKEN_MISSING'],
    ['Basic dXNlcjpwYXNz', 'TOKEN_MISSING'],
    ['Bearer', 'TOKEN_MISSING'],
    ['Bearer nonsense', 'TOKEN_INVALID'],
    [`Bearer ${head}.${admin}.${signature}`, 'TOKEN_INVALID'],
    [`Bearer ${none}`, 'TOKEN_INVALID'],
    [`Bearer ${expired}`, 'TOKEN_EXPIRED'],
  ];
  for (const [authorization, reason] of cases) {
    const response = await fetch(`${world.url}/api/slices`, {
      headers: authorization ? { authorization } : {},
    });
    assert.equal(response.status, 401, reason);
    assert.match(response.headers.get('www-authenticate') ?? '', /^Bearer realm=/);
    const body = await failureOf(response);
    assert.equal(body.reason, reason);
    assert.equal(body.code, 'UNAUTHENTICATED');
  }
  assert.deepEqual(world.asked, []);
});

test('guests read, students write, only admins see the users', async () => {
  await using world = await startWorld({ [SLICES]: () => ({}), [CREATE]: () => ({}), [USERS]: () => ({}) });
  const statuses = async (role: 'admin' | 'professor' | 'student' | 'guest') => {
    const headers = { authorization: `Bearer ${await world.token(role)}` };
    const list = await fetch(`${world.url}/api/slices`, { headers });
    const create = await fetch(`${world.url}/api/slices`, post({}, headers));
    const users = await fetch(`${world.url}/api/auth/users`, { headers });
    return [list.status, create.status, users.status];
  };
  assert.deepEqual(await statuses('guest'), [200, 403, 403]);
  assert.deepEqual(await statuses('student'), [200, 201, 403]);
  assert.deepEqual(await statuses('professor'), [200, 201, 403]);
  assert.deepEqual(await statuses('admin'), [200, 201, 200]);
});

test('what is for services only is not there for anyone', async () => {
  const hidden = testSchema.methods.filter(({ access }) => access === 'ACCESS_SERVICE');
  assert(hidden.length > 4);
  assert(hidden.every(({ bindings }) => bindings.length === 0));
});

test('the services learn who asks, from where and under which request, and nothing that the client made up', async () => {
  await using world = await startWorld({ [SLICES]: () => ({}) });
  const token = await world.token();
  const headers = {
    authorization: `Bearer ${token}`,
    'x-request-id': 'req-1.A_b',
    'x-user-id': '1',
    'x-user-role': 'admin',
    'x-forwarded-for': '6.6.6.6',
  };
  const response = await fetch(`${world.url}/api/slices`, { headers });
  assert.equal(response.headers.get('x-request-id'), 'req-1.A_b');
  const sent = world.asked[0]?.metadata.getMap() ?? {};
  assert.equal(sent.authorization, `Bearer ${token}`);
  assert.equal(sent['x-request-id'], 'req-1.A_b');
  assert.equal(sent['x-forwarded-for'], '127.0.0.1');
  assert.deepEqual(
    Object.keys(sent).filter((name) => name.startsWith('x-user')),
    [],
  );
});

test('behind a proxy that is trusted, the address is the one it tells', async () => {
  await using world = await startWorld({ [LOGIN]: () => ({}) }, { trustedProxies: ['127.0.0.0/8'] });
  await fetch(`${world.url}/login`, post({}, { 'x-forwarded-for': '6.6.6.6, 10.1.2.3' }));
  assert.deepEqual(world.asked[0]?.metadata.get('x-forwarded-for'), ['10.1.2.3']);
});

test('a request id that could harm a log is replaced', async () => {
  await using world = await startWorld({});
  for (const id of ['a b', '{"x":1}', 'x'.repeat(65)]) {
    const response = await fetch(`${world.url}/health`, { headers: { 'x-request-id': id } });
    assert.match(response.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/);
  }
});

test('every error of a service has its status, and its words, reason and details arrive', async () => {
  let failure = new Failure({ code: 'UNKNOWN', reason: 'X', message: 'x' });
  await using world = await startWorld({
    [LOGIN]: () => {
      throw failure;
    },
  });
  const table = {
    CANCELLED: 499,
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
  } as const;
  for (const [code, status] of Object.entries(table) as [keyof typeof table, number][]) {
    failure = new Failure({
      code,
      reason: `WHY_${code}`,
      message: `It was ${code}: ñ`,
      violations: [{ field: 'nodes[0].image', message: 'is unknown' }],
      metadata: { limit: '3' },
      retryAfterS: 900,
    });
    const response = await fetch(`${world.url}/login`, post({}));
    assert.equal(response.status, status, code);
    assert.deepEqual(await response.json(), {
      error: `It was ${code}: ñ`,
      code,
      reason: `WHY_${code}`,
      details: [{ field: 'nodes[0].image', message: 'is unknown' }],
      metadata: { limit: '3' },
      request_id: response.headers.get('x-request-id'),
    });
    assert.equal(response.headers.get('retry-after'), status === 429 || status === 503 ? '900' : null, code);
    assert.equal(response.headers.has('www-authenticate'), status === 401, code);
  }
});

test('a bug in a service tells the client nothing but the request id', async () => {
  await using world = await startWorld({
    [LOGIN]: () => {
      throw new Error('connection string postgres://root:secret@db');
    },
  });
  const response = await fetch(`${world.url}/login`, post({}));
  assert.equal(response.status, 500);
  const { error, code } = await failureOf(response);
  assert.deepEqual({ error, code }, { error: 'Internal error', code: 'INTERNAL' });
});

test('a service that is away gives 503 soon, and says which one', async () => {
  const url = 'http://127.0.0.1:1';
  await using world = await startWorld(
    {},
    {
      upstreams: ['auth', 'slice', 'openstack', 'library'].map((name) => {
        return { name, packageName: name === 'library' ? 'testing.library.v1' : `pucp.${name}.v1`, url };
      }),
    },
  );
  const response = await fetch(`${world.url}/login`, post({}));
  assert.equal(response.status, 503);
  assert.equal(response.headers.get('retry-after'), '2');
  const { error, reason } = await failureOf(response);
  assert.equal(reason, 'SERVICE_UNAVAILABLE');
  assert.equal(error, 'Service unavailable: the auth service did not answer; try again shortly');
});

test('a path that does not exist is 404, another method on one that does is 405 with what is allowed', async () => {
  await using world = await startWorld({});
  const missing = await fetch(`${world.url}/api/slice`);
  assert.equal(missing.status, 404);
  assert.match((await failureOf(missing)).error, /^Not found: there is no GET \/api\/slice;/);
  const patch = await fetch(`${world.url}/api/slices/7`, { method: 'PATCH' });
  assert.equal(patch.status, 405);
  assert.equal(patch.headers.get('allow'), 'DELETE, GET, HEAD, OPTIONS, PUT');
  assert.equal((await failureOf(patch)).reason, 'METHOD_NOT_ALLOWED');
  const health = await fetch(`${world.url}/health`, { method: 'POST' });
  assert.equal(health.status, 405);
  assert.equal(health.headers.get('allow'), 'GET, HEAD, OPTIONS');
  const options = await fetch(`${world.url}/api/slices`, { method: 'OPTIONS' });
  assert.equal(options.status, 204);
  assert.equal(options.headers.get('allow'), 'GET, HEAD, OPTIONS, POST');
});

test('HEAD answers like GET, without the body', async () => {
  await using world = await startWorld({ [SLICES]: () => ({}) });
  const headers = { authorization: `Bearer ${await world.token()}` };
  const response = await fetch(`${world.url}/api/slices`, { method: 'HEAD', headers });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-length'), String('[]\n'.length));
  assert.equal((await fetch(`${world.url}/api/slices`, { method: 'HEAD' })).status, 401);
});

test('a path that is encoded badly, or is very long, is an ordinary mistake', async () => {
  await using world = await startWorld({ '/pucp.slice.v1.SliceService/GetSlice': ({ request }) => request });
  const headers = { authorization: `Bearer ${await world.token()}` };
  const bad = await fetch(`${world.url}/api/slices/%zz`, { headers });
  assert.equal(bad.status, 400);
  await failureOf(bad);
  const long = await fetch(`${world.url}/api/slices/${'x'.repeat(2000)}`, { headers });
  assert.equal(((await long.json()) as { id: string }).id.length, 2000);
});

test('a slice is created with 201, listed as a bare array and deleted without a body', async () => {
  await using world = await startWorld({
    [CREATE]: ({ request }) => ({ id: '7', name: request.name, status: 3, infrastructure: 2 }),
    [SLICES]: () => ({ slices: [{ id: '7', status: 4, created_at: { seconds: 1769860800 } }] }),
    [DELETE]: ({ request }) => ({ slice_id: request.id, message: 'Slice deletion started', status: 9 }),
  });
  const headers = { authorization: `Bearer ${await world.token()}` };
  const created = await fetch(
    `${world.url}/api/slices`,
    post({ name: 'a', infrastructure: 'openstack' }, headers),
  );
  assert.equal(created.status, 201);
  const change = (await created.json()) as Record<string, unknown>;
  assert.equal(change.status, 'deploying');
  assert.equal(change.infrastructure, 'openstack');
  const list = (await (await fetch(`${world.url}/api/slices`, { headers })).json()) as Record<
    string,
    unknown
  >[];
  assert.equal(list[0]?.status, 'active');
  assert.equal(list[0]?.created_at, '2026-01-31T12:00:00Z');
  assert.equal(list[0]?.deployed_at, null);
  assert.deepEqual(list[0]?.nodes, []);
  const deleted = await fetch(`${world.url}/api/slices/7`, { method: 'DELETE', headers });
  assert.equal(((await deleted.json()) as Record<string, unknown>).slice_id, '7');
});

test('a verb, a nested name and a name of several segments reach their rpcs', async () => {
  const echo = ({ request }: Asked) => ({ name: String(request.name ?? request.path ?? request.number) });
  await using world = await startWorld({
    [`${LIBRARY}/GetBook`]: echo,
    [`${LIBRARY}/LendBook`]: echo,
    [`${LIBRARY}/GetPage`]: ({ request }) => request,
  });
  const headers = { authorization: `Bearer ${await world.token('guest')}` };
  const nameOf = async (response: Promise<Response>) =>
    ((await (await response).json()) as { name: string }).name;
  assert.equal(await nameOf(fetch(`${world.url}/v1/shelves/a/books/b%20c`)), 'shelves/a/books/b c');
  assert.equal(await nameOf(fetch(`${world.url}/v1/books/only`)), 'only');
  assert.equal(await nameOf(fetch(`${world.url}/v1/newest-book?name=n`)), 'n');
  assert.equal(await nameOf(fetch(`${world.url}/v1/books/12:lend`, post({ to: 'ana' }, headers))), '12');
  const page = await fetch(`${world.url}/v1/pages/a/b%2Fc/d`);
  assert.deepEqual(await page.json(), { path: 'a/b%2Fc/d' });
});

test('an action needs no body: nothing, or nothing but a type, or {}', async () => {
  await using world = await startWorld({ [DEPLOY]: ({ request }) => ({ id: request.id }) });
  const headers = { authorization: `Bearer ${await world.token()}` };
  const json = { ...headers, 'content-type': 'application/json' };
  for (const init of [
    { headers },
    { headers: json },
    { headers: json, body: '' },
    { headers: json, body: ' \n' },
    { headers: json, body: '{}' },
    { headers: json, body: '\ufeff{"id":"7"}' },
  ]) {
    const response = await fetch(`${world.url}/api/slices/7/deploy`, { method: 'POST', ...init });
    assert.equal(response.status, 200, JSON.stringify(init));
    assert.equal(((await response.json()) as { id: string }).id, '7');
  }
});

test('a body that is not JSON, not well formed, compressed or not UTF-8 gets the right status and a place', async () => {
  await using world = await startWorld({});
  const send = async (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) => {
    const type = { 'content-type': 'application/json', ...headers };
    const response = await fetch(`${world.url}/login`, { method: 'POST', body, headers: type });
    return [response.status, (await failureOf(response)).error] as const;
  };
  const [form, formError] = await send('username=a', { 'content-type': 'application/x-www-form-urlencoded' });
  assert.equal(form, 415);
  assert.match(formError, /"Content-Type: application\/json", not "application\/x-www-form-urlencoded"/);
  assert.equal((await send('{}', { 'content-encoding': 'gzip' }))[0], 415);
  const bad = 'The body is not well-formed JSON';
  assert.deepEqual(await send('{"username": "a",\n "password": secret}'), [
    400,
    `${bad} at line 2, column 14`,
  ]);
  assert.deepEqual(await send('{"a": 1,}'), [400, `${bad} at line 1, column 9`]);
  assert.deepEqual(await send('{"a": '), [400, `${bad}: it ends too early, at line 1, column 7`]);
  assert.deepEqual(await send('{"a": "b'), [400, `${bad}: it ends too early, at line 1, column 9`]);
  assert.deepEqual(await send('{} x'), [400, `${bad} at line 1, column 4`]);
  assert.deepEqual(await send(new Uint8Array([0x22, 0xff, 0x22])), [400, 'The body is not UTF-8 text']);
});

test('a body of more than 2 MiB is 413, whether it tells its size or not', async () => {
  await using world = await startWorld({ [LOGIN]: () => ({}) });
  const big = 'x'.repeat(2 * 1024 * 1024);
  const told = await fetch(`${world.url}/login`, post({ username: big }));
  assert.equal(told.status, 413);
  assert.equal((await failureOf(told)).reason, 'BODY_TOO_LARGE');
  const almost = await fetch(`${world.url}/login`, post({ username: big.slice(100) }));
  assert.equal(almost.status, 200);
  const parts = new ReadableStream({
    start(controller) {
      for (let sent = 0; sent < 40; sent += 1) controller.enqueue(Buffer.alloc(65_536, 'x'));
      controller.close();
    },
  });
  const init = {
    method: 'POST',
    body: parts,
    duplex: 'half',
    headers: { 'content-type': 'application/json' },
  };
  // A client that is still sending may see the connection end instead of the answer.
  const untold = await fetch(`${world.url}/login`, init as RequestInit).then(
    (answer) => answer.status,
    String,
  );
  assert.match(String(untold), /^413$|fetch failed/);
});

test('nobody without a token makes the gateway read a body', async () => {
  await using world = await startWorld({});
  const response = await fetch(`${world.url}/api/slices`, post('x'.repeat(3 * 1024 * 1024)));
  assert.equal(response.status, 401);
});

test('a body where none belongs is refused, an empty object is forgiven', async () => {
  await using world = await startWorld({ [DELETE]: () => ({}) });
  const headers = { authorization: `Bearer ${await world.token()}` };
  const send = (body: string) =>
    fetch(`${world.url}/api/slices/7`, { ...post(body, headers), method: 'DELETE' });
  assert.equal((await send('{"force": true}')).status, 400);
  assert.equal((await send('{}')).status, 200);
});
