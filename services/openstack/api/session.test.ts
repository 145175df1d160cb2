import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  context,
  type FakeCloud,
  type FakeReply,
  failureOf,
  startFakeCloud,
  until,
} from './testing/fake-cloud.ts';
import { openSession } from './testing/open-session.ts';

/** Flavors that are shown only to tokens that have not been revoked. */
function guardFlavors(fake: FakeCloud): void {
  fake.on('GET', '/compute/v2.1/flavors/detail', ({ headers }) =>
    fake.isValid(headers['x-auth-token'])
      ? { json: { flavors: [] } }
      : { status: 401, json: { error: { code: 401, message: 'Unauthorized' } } },
  );
}

test('callers at the same time share one token', async () => {
  await using fake = await startFakeCloud();
  guardFlavors(fake);
  const { nova } = fake.cloud.project('home');
  await Promise.all(Array.from({ length: 20 }, () => nova.listFlavors(context())));
  assert.equal(fake.tokenRequests.length, 1);
});

test('a caller that leaves while the token is fetched does not take it from the others', async () => {
  const gate = Promise.withResolvers<void>();
  await using fake = await startFakeCloud({ onToken: () => gate.promise.then(() => undefined) });
  guardFlavors(fake);
  const { nova } = fake.cloud.project('home');
  const impatient = new AbortController();
  const first = nova.listFlavors({ signal: impatient.signal });
  const second = nova.listFlavors(context());
  await until(() => fake.tokenRequests.length === 1, 'the token is asked for');
  impatient.abort();
  await assert.rejects(first, { code: 'CANCELLED' });
  gate.resolve();
  assert.deepEqual(await second, []);
  assert.equal(fake.tokenRequests.length, 1);
});

test('who sets a time for a call that waits for its token is told that it ran out, and not that somebody left', async () => {
  await using fake = await startFakeCloud({ onToken: () => ({ fault: 'hang' }) });
  const failure = await failureOf(fake.cloud.project('home').nova.listFlavors(context(50)));
  assert.deepEqual([failure.code, failure.reason], ['DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED']);
});

test('a token that was revoked is replaced once, however many calls it fails', async () => {
  await using fake = await startFakeCloud();
  guardFlavors(fake);
  const { nova } = fake.cloud.project('home');
  await nova.listFlavors(context());
  fake.revokeTokens();
  await Promise.all(Array.from({ length: 100 }, () => nova.listFlavors(context())));
  assert.equal(fake.tokenRequests.length, 2);
});

test('a service that refuses every token is asked twice and no more', async () => {
  await using fake = await startFakeCloud();
  fake.on('GET', '/compute/v2.1/flavors/detail', { status: 401, json: { error: { message: 'no' } } });
  const failure = await failureOf(fake.cloud.project('home').nova.listFlavors(context()));
  assert.equal(failure.reason, 'AUTHENTICATION_FAILED');
  assert.equal(fake.requests.length, 2);
  assert.equal(fake.tokenRequests.length, 2);
});

test('a token is renewed two minutes before it ends, or half-way if it lives shortly', async () => {
  for (const [tokenLifeMs, renewedAfterMs] of [
    [3_600_000, 3_480_000],
    [60_000, 30_000],
  ] as const) {
    await using fake = await startFakeCloud({ tokenLifeMs });
    const clock = { now: Date.now() };
    using opened = openSession(fake, clock);
    const first = await opened.session.token(context());
    clock.now += renewedAfterMs - 1;
    assert.equal((await opened.session.token(context())).id, first.id);
    clock.now += 1;
    assert.notEqual((await opened.session.token(context())).id, first.id);
  }
});

test('whoever comes late with a refused token gets the one fetched meanwhile', async () => {
  await using fake = await startFakeCloud();
  using opened = openSession(fake, { now: Date.now() });
  const refused = await opened.session.token(context());
  const renewed = await opened.session.renew(refused, context());
  assert.equal((await opened.session.renew(refused, context())).id, renewed.id);
  assert.equal(fake.tokenRequests.length, 2);
});

test('while Keystone is away the old token serves as long as it lives', async () => {
  let isAway = false;
  await using fake = await startFakeCloud({
    tokenLifeMs: 60_000,
    onToken: () => (isAway ? { status: 503, text: 'away' } : undefined),
  });
  const clock = { now: Date.now() };
  using opened = openSession(fake, clock);
  const token = await opened.session.token(context());
  isAway = true;
  clock.now += 45_000;
  assert.equal((await opened.session.token(context())).id, token.id);
  clock.now += 45_000;
  await assert.rejects(opened.session.token(context()), { reason: 'CLOUD_ERROR' });
});

test('a wrong configured password is the operator’s trouble and never says that the user is not logged in', async () => {
  await using fake = await startFakeCloud({
    onToken: () => ({ status: 401, json: { error: { code: 401, message: 'requires authentication' } } }),
  });
  const failure = await failureOf(fake.cloud.project('home').nova.listFlavors(context()));
  assert.equal(failure.code, 'FAILED_PRECONDITION');
  assert.equal(failure.reason, 'AUTHENTICATION_FAILED');
  assert.match(failure.message, /operator/);
  assert.doesNotMatch(JSON.stringify(failure), /secret/);
});

test('each project has a token of its own, kept while the project is used', async () => {
  await using fake = await startFakeCloud();
  guardFlavors(fake);
  const ids = await Promise.all(
    ['a', 'b', 'a'].map((projectId) => fake.cloud.project({ projectId }).projectId(context())),
  );
  assert.deepEqual(ids, ['a', 'b', 'a']);
  assert.equal(fake.tokenRequests.length, 2);
});

test('a project without a role for the configured user is named in the refusal', async () => {
  await using fake = await startFakeCloud({
    onToken: () => ({ status: 401, json: { error: { message: 'x' } } }),
  });
  const failure = await failureOf(fake.cloud.project({ projectId: 'p-9' }).projectId(context()));
  assert.equal(failure.reason, 'PROJECT_ACCESS_DENIED');
  assert.match(failure.message, /p-9/);
});

test('an application credential is sent without a scope, which it carries itself', async () => {
  await using fake = await startFakeCloud({
    settings: { auth: { type: 'application_credential', id: 'ac', secret: 's' } },
  });
  await fake.cloud.project('home').projectId(context());
  assert.deepEqual(fake.tokenRequests[0]?.body, {
    auth: {
      identity: { methods: ['application_credential'], application_credential: { id: 'ac', secret: 's' } },
    },
  });
});

test('an application credential is not taken for a project that is not its own', async () => {
  await using fake = await startFakeCloud({
    settings: { auth: { type: 'application_credential', id: 'ac', secret: 's' } },
  });
  const { cloud } = fake;
  assert.equal(await cloud.project({ projectId: 'home-id' }).projectId(context()), 'home-id');
  const failure = await failureOf(cloud.project({ projectId: 'other' }).projectId(context()));
  assert.equal(failure.reason, 'PROJECT_ACCESS_DENIED');
});

test('a token given without a project is used as it is', async () => {
  await using fake = await startFakeCloud({
    settings: { auth: { type: 'token', token: 'given' }, projectName: undefined },
  });
  fake.on('GET', '/compute/v2.1/flavors/detail', { json: { flavors: [] } });
  await fake.cloud.project('home').nova.listFlavors(context());
  assert.equal(fake.tokenRequests[0]?.method, 'GET');
  assert.equal(fake.tokenRequests[0]?.headers['x-subject-token'], 'given');
});

test('a token for a domain or the whole system is asked for as such, and kept apart', async () => {
  const grant = (token: object): FakeReply => ({
    status: 201,
    headers: { 'x-subject-token': JSON.stringify(token) },
    json: { token: { expires_at: new Date(Date.now() + 3_600_000).toISOString(), ...token } },
  });
  await using fake = await startFakeCloud({
    onToken: ({ body }) => {
      const { scope } = (body as { auth: { scope: { domain?: object; system?: object } } }).auth;
      return scope.domain || scope.system ? grant(scope) : undefined;
    },
  });
  const projects = { json: { projects: [] } };
  fake.on('GET', '/identity/v3/projects', projects);
  for (const scope of ['home', { domainId: 'd1' }, { system: true }, { domainId: 'd1' }] as const) {
    await fake.cloud.project(scope).keystone.listProjects({}, context());
  }
  assert.deepEqual(
    fake.tokenRequests.slice(1).map(({ body }) => (body as { auth: { scope: unknown } }).auth.scope),
    [{ domain: { id: 'd1' } }, { system: { all: true } }],
  );
  const tokens = fake.requests.map(({ headers }) => headers['x-auth-token']);
  assert.equal(new Set(tokens).size, 3);
  assert.equal(tokens[1], tokens[3]);
});

test('no role on the system, or in a domain, is told as such', async () => {
  await using fake = await startFakeCloud({
    onToken: () => ({ status: 401, json: { error: { message: 'x' } } }),
  });
  for (const [scope, reason] of [
    [{ system: true }, 'SYSTEM_ACCESS_DENIED'],
    [{ domainId: 'd1' }, 'DOMAIN_ACCESS_DENIED'],
  ] as const) {
    const failure = await failureOf(fake.cloud.project(scope).keystone.listProjects({}, context()));
    assert.equal(failure.reason, reason);
  }
});

test('a token counts by how long it lives, whatever the cloud’s clock says and however it writes the time', async () => {
  for (const aheadMs of [-3_600_000, 0, 3_600_000]) {
    const issuedMs = Date.now() + aheadMs;
    const at = (ms: number) => new Date(issuedMs + ms).toISOString().replace('Z', '000');
    await using fake = await startFakeCloud({
      onToken: () => ({
        status: 201,
        headers: { 'x-subject-token': 't' },
        json: { token: { issued_at: at(0), expires_at: at(600_000) } },
      }),
    });
    const clock = { now: Date.now() };
    using opened = openSession(fake, clock);
    const { expiresAtMs } = await opened.session.token(context());
    assert.equal(expiresAtMs, clock.now + 600_000, `${aheadMs} ms ahead`);
  }
});

test('work that goes on after the answer gets a token with half its life left', async () => {
  await using fake = await startFakeCloud();
  const clock = { now: Date.now() };
  using opened = openSession(fake, clock);
  const first = await opened.session.token(context());
  clock.now += 1_790_000;
  assert.equal((await opened.session.lastingToken(context())).id, first.id);
  clock.now += 20_000;
  assert.equal((await opened.session.token(context())).id, first.id);
  assert.notEqual((await opened.session.lastingToken(context())).id, first.id);
});

test('what is sent again with a new token is sent whole', async () => {
  await using fake = await startFakeCloud();
  fake.on('POST', '/network/v2.0/networks', ({ headers }) =>
    fake.isValid(headers['x-auth-token'])
      ? { status: 201, json: { network: { id: 'n1' } } }
      : { status: 401, json: { error: { message: 'Unauthorized' } } },
  );
  const { neutron, projectId } = fake.cloud.project('home');
  await projectId(context());
  fake.revokeTokens();
  assert.equal((await neutron.networks.create({ name: 'n' }, context())).id, 'n1');
  assert.deepEqual(
    fake.requests.map(({ body }) => body),
    [{ network: { name: 'n' } }, { network: { name: 'n' } }],
  );
});
