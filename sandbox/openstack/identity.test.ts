import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Sandbox } from './server.ts';
import { logIn, passwordAuth, request, type Session, start } from './testing.ts';

let sandbox: Sandbox;
let admin: Session;

before(async () => {
  sandbox = await start();
  admin = await logIn(sandbox);
});
after(() => sandbox.close());

test('a token comes with a catalog whose three interfaces lead to every service', async () => {
  const scope = { project: { name: 'admin', domain: { id: 'default' } } };
  const answer = await request(
    `${sandbox.authUrl}/auth/tokens`,
    'POST',
    passwordAuth('admin', 'sandbox', scope),
  );
  assert.equal(answer.status, 201);
  const types = answer.body.token.catalog.map((entry: { type: string }) => entry.type).sort();
  assert.deepEqual(types, ['compute', 'identity', 'image', 'network', 'volumev3']);
  for (const entry of answer.body.token.catalog) assert.equal(entry.endpoints.length, 3);
  const volume = answer.body.token.catalog.find((entry: { type: string }) => entry.type === 'volumev3');
  assert.ok(volume.endpoints[0].url.endsWith(`/volume/v3/${admin.projectId}`));
});

test('a wrong password, an unknown project and a missing token are 401 in Keystone’s words', async () => {
  const wrong = await request(`${sandbox.authUrl}/auth/tokens`, 'POST', passwordAuth('admin', 'nope'));
  const scope = { project: { id: 'nope' } };
  const foreign = await request(
    `${sandbox.authUrl}/auth/tokens`,
    'POST',
    passwordAuth('demo', 'demo', scope),
  );
  const missing = await request(`${sandbox.authUrl}/projects`, 'GET');
  for (const answer of [wrong, foreign, missing]) {
    assert.equal(answer.status, 401);
    assert.deepEqual(answer.body.error, {
      code: 401,
      message: 'The request you have made requires authentication.',
      title: 'Unauthorized',
    });
  }
});

test('a token made of a token keeps its end of life, and a revoked one opens nothing', async () => {
  const scope = { project: { name: 'demo', domain: { id: 'default' } } };
  const unscoped = await request(`${sandbox.authUrl}/auth/tokens`, 'POST', passwordAuth('demo', 'demo'));
  const token = unscoped.headers.get('x-subject-token') ?? '';
  const body = { auth: { identity: { methods: ['token'], token: { id: token } }, scope } };
  const scoped = await request(`${sandbox.authUrl}/auth/tokens`, 'POST', body);
  assert.equal(scoped.body.token.expires_at, unscoped.body.token.expires_at);
  assert.deepEqual(scoped.body.token.methods, ['token', 'password']);

  const headers = { 'x-auth-token': token, 'x-subject-token': token };
  assert.equal((await request(`${sandbox.authUrl}/auth/tokens`, 'DELETE', undefined, headers)).status, 204);
  const after = await request(`${sandbox.authUrl}/auth/projects`, 'GET', undefined, headers);
  assert.equal(after.status, 401);
});

test('an admin makes a project, a user and a grant, and the user logs in there', async () => {
  const made = await admin.call('POST', 'identity', '/projects', { project: { name: 'slices' } });
  assert.equal(made.status, 201);
  const twice = await admin.call('POST', 'identity', '/projects', { project: { name: 'slices' } });
  assert.equal(twice.status, 409);
  const user = await admin.call('POST', 'identity', '/users', { user: { name: 'ana', password: 'pw' } });
  const roles = await admin.call('GET', 'identity', '/roles?name=member');
  const grant = `/projects/${made.body.project.id}/users/${user.body.user.id}/roles/${roles.body.roles[0].id}`;
  assert.equal((await admin.call('HEAD', 'identity', grant)).status, 404);
  assert.equal((await admin.call('PUT', 'identity', grant)).status, 204);
  assert.equal((await admin.call('HEAD', 'identity', grant)).status, 204);

  const ana = await logIn(sandbox, 'ana', 'pw', 'slices');
  assert.equal((await ana.call('GET', 'identity', '/projects')).status, 403);
  const own = await ana.call('GET', 'identity', '/auth/projects');
  assert.deepEqual(
    own.body.projects.map((project: { name: string }) => project.name),
    ['slices'],
  );

  assert.equal((await admin.call('DELETE', 'identity', grant)).status, 204);
  assert.equal((await ana.call('GET', 'identity', '/auth/projects')).status, 401);
});

test('projects are found by their tags', async () => {
  const made = await admin.call('POST', 'identity', '/projects', { project: { name: 'tagged' } });
  const path = `/projects/${made.body.project.id}/tags`;
  assert.equal((await admin.call('PUT', 'identity', path, { tags: ['a', 'b'] })).status, 200);
  const found = await admin.call('GET', 'identity', '/projects?tags=a,b');
  assert.deepEqual(
    found.body.projects.map((project: { name: string }) => project.name),
    ['tagged'],
  );
  assert.equal((await admin.call('GET', 'identity', '/projects?tags=a,c')).body.projects.length, 0);
});

test('an application credential opens its project and may not choose another', async () => {
  const demo = await logIn(sandbox, 'demo', 'demo');
  const me = await request(`${sandbox.authUrl}/auth/tokens`, 'GET', undefined, {
    'x-auth-token': demo.token,
    'x-subject-token': demo.token,
  });
  const path = `/users/${me.body.token.user.id}/application_credentials`;
  const made = await demo.call('POST', 'identity', path, { application_credential: { name: 'ci' } });
  const { id, secret } = made.body.application_credential;
  const identity = { methods: ['application_credential'], application_credential: { id, secret } };
  const token = await request(`${sandbox.authUrl}/auth/tokens`, 'POST', { auth: { identity } });
  assert.equal(token.body.token.project.name, 'demo');
  const scope = { project: { id: demo.projectId } };
  const scoped = await request(`${sandbox.authUrl}/auth/tokens`, 'POST', { auth: { identity, scope } });
  assert.equal(scoped.status, 401);
});

test('version documents are there without a token', async () => {
  const paths = {
    '/identity': 300,
    '/identity/v3': 200,
    '/compute/v2.1/': 200,
    '/networking': 200,
    '/image': 300,
    '/volume': 300,
  };
  for (const [path, status] of Object.entries(paths)) {
    assert.equal((await request(`${sandbox.url}${path}`, 'GET')).status, status, path);
  }
});

test('unknown paths and broken JSON are answered in each service’s own words', async () => {
  assert.match((await admin.call('GET', 'identity', '/nosuch')).text, /<h1>Not Found<\/h1>/);
  assert.equal((await admin.call('GET', 'network', '/nosuch')).body.NeutronError.type, 'HTTPNotFound');
  assert.equal(
    (await admin.call('POST', 'compute', '/servers', '{bad')).body.badRequest.message,
    'Malformed request body',
  );
  assert.equal(
    (await admin.call('POST', 'network', '/networks', '{bad')).body.NeutronError.type,
    'HTTPBadRequest',
  );
});

test('fields of projects and users in a wrong form are refused, and what logs in must be whole', async () => {
  const refusal = async (kind: 'project' | 'user', fields: object) => {
    const answer = await admin.call('POST', 'identity', `/${kind}s`, { [kind]: { name: 'form', ...fields } });
    return `${answer.status} ${answer.body.error?.message}`;
  };
  assert.match(
    await refusal('project', { description: 5 }),
    /^400 .*'description': 5 is not of type 'string'/,
  );
  assert.match(await refusal('project', { tags: ['a,b'] }), /^400 .*'tags\/0': 'a,b' does not match/);
  assert.match(await refusal('project', { domain_id: 'nope' }), /^400 Could not find domain/);
  assert.match(await refusal('user', { enabled: 'x' }), /^400 .*'enabled': 'x' is not of type 'boolean'/);
  const user = { name: 'admin', password: 'sandbox' };
  const auth = { identity: { methods: ['password'], password: { user } } };
  assert.equal((await request(`${sandbox.authUrl}/auth/tokens`, 'POST', { auth })).status, 400);
  const token = { identity: { methods: ['token'], token: { id: 'bad' } } };
  assert.equal((await request(`${sandbox.authUrl}/auth/tokens`, 'POST', { auth: token })).status, 404);
});
