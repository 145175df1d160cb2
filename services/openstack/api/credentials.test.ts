// What is sent to Keystone for each kind of credential and home, and how a token that someone else obtained ends.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CloudSettings } from './settings.ts';
import { context, failureOf, startFakeCloud } from './testing/fake-cloud.ts';
import { openSession } from './testing/open-session.ts';

const flavors = '/compute/v2.1/flavors/detail';
const given = { auth: { type: 'token', token: 'given' } } as const;

/** The body of the request for a token that these settings make. */
async function asked(settings: Partial<CloudSettings>): Promise<{ identity: unknown; scope?: unknown }> {
  await using fake = await startFakeCloud({ settings: { projectName: undefined, ...settings } });
  await fake.cloud.project('home').projectId(context());
  const [request] = fake.tokenRequests;
  assert(request);
  return (request.body as { auth: { identity: unknown; scope?: unknown } }).auth;
}

test('the home is asked for as it was named', async () => {
  for (const [settings, scope] of [
    [{}, undefined],
    [{ projectName: 'lab' }, { project: { name: 'lab', domain: { name: 'Default' } } }],
    [
      { projectName: 'lab', projectDomainName: 'Campus' },
      { project: { name: 'lab', domain: { name: 'Campus' } } },
    ],
    [{ projectName: 'lab', projectDomainId: 'd1' }, { project: { name: 'lab', domain: { id: 'd1' } } }],
    [{ projectName: 'lab', projectId: 'p1' }, { project: { id: 'p1' } }],
    [{ homeScope: { domainName: 'Campus' } }, { domain: { name: 'Campus' } }],
    [{ homeScope: { domainId: 'd1' } }, { domain: { id: 'd1' } }],
    [{ homeScope: { system: true } }, { system: { all: true } }],
  ] as const) {
    assert.deepEqual((await asked(settings)).scope, scope, JSON.stringify(settings));
  }
});

test('a user is named by name and domain, or by id alone', async () => {
  const auth = { type: 'password', username: 'ana', password: 'x', userDomainName: 'Campus' } as const;
  const user = async (more: object) =>
    ((await asked({ auth: { ...auth, ...more } })).identity as { password: { user: unknown } }).password.user;
  assert.deepEqual(await user({}), { name: 'ana', domain: { name: 'Campus' }, password: 'x' });
  assert.deepEqual(await user({ userDomainId: 'd1' }), { name: 'ana', domain: { id: 'd1' }, password: 'x' });
  assert.deepEqual(await user({ userId: 'u1' }), { id: 'u1', password: 'x' });
});

test('a token that was given is rescoped to the home and to projects', async () => {
  await using fake = await startFakeCloud({ settings: { ...given, projectName: 'lab' } });
  await fake.cloud.project('home').projectId(context());
  await fake.cloud.project({ projectId: 'p1' }).projectId(context());
  assert.deepEqual(
    fake.tokenRequests.map(({ body }) => (body as { auth: unknown }).auth),
    [{ project: { name: 'lab', domain: { name: 'Default' } } }, { project: { id: 'p1' } }].map((scope) => ({
      identity: { methods: ['token'], token: { id: 'given' } },
      scope,
    })),
  );
});

test('a given token that has ended is told as such after one look, and never asked for in a circle', async () => {
  for (const projectName of [undefined, 'lab']) {
    const refusal = {
      status: 401,
      json: { error: { code: 401, message: 'The request you have made requires' } },
    };
    await using fake = await startFakeCloud({ settings: { ...given, projectName }, onToken: () => refusal });
    const failure = await failureOf(fake.cloud.project('home').nova.listFlavors(context()));
    assert.equal(failure.reason, 'AUTHENTICATION_FAILED');
    assert.equal(failure.retryable, false);
    assert.match(failure.message, /password, token or project/);
    assert.equal(fake.tokenRequests.length, 1);
  }
});

test('a given token that ends while it is used fails the call that finds out, and the service is asked once', async () => {
  let hasEnded = false;
  await using fake = await startFakeCloud({
    settings: { ...given, projectName: undefined },
    onToken: () => (hasEnded ? { status: 401, json: { error: { message: 'ended' } } } : undefined),
  });
  fake.on('GET', flavors, () =>
    hasEnded ? { status: 401, json: { error: { message: 'ended' } } } : { json: { flavors: [] } },
  );
  const { nova } = fake.cloud.project('home');
  await nova.listFlavors(context());
  hasEnded = true;
  const failure = await failureOf(nova.listFlavors(context()));
  assert.equal(failure.reason, 'AUTHENTICATION_FAILED');
  assert.equal(fake.requests.length, 2);
  assert.equal(fake.tokenRequests.length, 2);
});

test('what a given token still lives is reckoned by the cloud’s clock', async () => {
  for (const aheadMs of [-3_600_000, 3_600_000]) {
    const cloudNow = Math.floor(Date.now() / 1000) * 1000 + aheadMs;
    await using fake = await startFakeCloud({
      onToken: () => ({
        headers: { date: new Date(cloudNow).toUTCString() },
        json: {
          token: {
            // Issued long ago: its whole life says nothing of what is left.
            issued_at: new Date(cloudNow - 3_000_000).toISOString(),
            expires_at: new Date(cloudNow + 600_000).toISOString(),
          },
        },
      }),
    });
    using opened = openSession(fake, { now: 0 }, given.auth);
    const { expiresAtMs } = await opened.session.token(context());
    assert.equal(expiresAtMs, 600_000, `${aheadMs} ms ahead`);
  }
});

test('tokens of a thousand projects are kept, and the one used longest ago goes first', async () => {
  await using fake = await startFakeCloud();
  const use = (projectId: string) => fake.cloud.project({ projectId }).projectId(context());
  await use('a');
  for (let count = 0; count < 999; count += 1) fake.cloud.project({ projectId: `other-${count}` });
  await use('a');
  assert.equal(fake.tokenRequests.length, 1);
  for (let count = 0; count < 1_000; count += 1) fake.cloud.project({ projectId: `more-${count}` });
  await use('a');
  assert.equal(fake.tokenRequests.length, 2);
});
