// Databases with several masters: what was just made may not be known yet where it is asked for next.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNewborns } from './newborns.ts';
import { path } from './path.ts';
import { context, type FakeCloud, failureOf, startFakeCloud } from './testing/fake-cloud.ts';

const networks = '/network/v2.0/networks';

/** Networks whose first `lag` looks find nothing. */
function lagging(fake: FakeCloud, lag: number): { asked: () => number } {
  let asked = 0;
  fake.on('POST', networks, { status: 201, json: { network: { id: 'n1' } } });
  for (const method of ['GET', 'DELETE']) {
    fake.on(method, `${networks}/n1`, () => {
      asked += 1;
      if (asked <= lag)
        return { status: 404, json: { NeutronError: { type: 'NetworkNotFound', message: 'x' } } };
      return method === 'GET' ? { json: { network: { id: 'n1' } } } : { status: 204, text: '' };
    });
  }
  return { asked: () => asked };
}

test('what was just made is found although the next server does not know it yet', async () => {
  await using fake = await startFakeCloud();
  const { asked } = lagging(fake, 2);
  const { neutron } = fake.cloud.project('home');
  await neutron.networks.create({ name: 'n' }, context());
  assert.equal((await neutron.networks.get('n1', context())).id, 'n1');
  assert.equal(asked(), 3);
});

test('what was just made is really deleted, and not taken for gone because a server lags', async () => {
  await using fake = await startFakeCloud();
  const { asked } = lagging(fake, 1);
  const { neutron } = fake.cloud.project('home');
  await neutron.networks.create({ name: 'n' }, context());
  await neutron.networks.remove('n1', context());
  assert.equal(asked(), 2);
});

test('a project that was just made gives a token although Keystone’s next server has not heard of it', async () => {
  let refusals = 0;
  await using fake = await startFakeCloud({
    onToken: ({ body }) => {
      const isOfNew = JSON.stringify(body).includes('"p-new"');
      if (!isOfNew || refusals === 2) return undefined;
      refusals += 1;
      return { status: 401, json: { error: { code: 401, message: 'x' } } };
    },
  });
  fake.on('POST', '/identity/v3/projects', { status: 201, json: { project: { id: 'p-new' } } });
  await fake.cloud.project('home').keystone.createProject({ name: 'p', domain_id: 'd' }, context());
  assert.equal(await fake.cloud.project({ projectId: 'p-new' }).projectId(context()), 'p-new');
  assert.equal(refusals, 2);
});

test('what we did not make, or have deleted, is said to be absent at once', async () => {
  await using fake = await startFakeCloud();
  const { neutron } = fake.cloud.project('home');
  assert.equal((await failureOf(neutron.networks.get('n2', context()))).code, 'NOT_FOUND');
  lagging(fake, 0);
  await neutron.networks.create({ name: 'n' }, context());
  await neutron.networks.remove('n1', context());
  fake.on('GET', `${networks}/n1`, { status: 404, text: '' });
  fake.requests.length = 0;
  await failureOf(neutron.networks.get('n1', context()));
  assert.equal(fake.requests.length, 1);
});

test('a lag that does not end is believed after a while', async () => {
  await using fake = await startFakeCloud();
  const { asked } = lagging(fake, Number.POSITIVE_INFINITY);
  const { neutron } = fake.cloud.project('home');
  await neutron.networks.create({ name: 'n' }, context());
  assert.equal((await failureOf(neutron.networks.get('n1', context()))).code, 'NOT_FOUND');
  assert.ok(asked() > 2 && asked() < 15, `${asked()} times`);
});

test('a caller who leaves does not wait for what lags', async () => {
  await using fake = await startFakeCloud();
  lagging(fake, Number.POSITIVE_INFINITY);
  const { neutron } = fake.cloud.project('home');
  await neutron.networks.create({ name: 'n' }, context());
  const leaving = new AbortController();
  const call = failureOf(neutron.networks.get('n1', { signal: leaving.signal }));
  leaving.abort();
  assert.equal((await call).code, 'CANCELLED');
});

test('things are young for three seconds, by whatever call they were made, and no more of them are kept than a thousand', () => {
  let now = 0;
  const newborns = createNewborns(() => now);
  newborns.made({ server: { id: 's1', adminPass: 'x' } });
  newborns.made({ networks: [{ id: 'n1' }, { id: 'n2' }] });
  newborns.made({ id: 'i1', status: 'queued' });
  newborns.made(undefined);
  for (const id of ['s1', 'n1', 'n2', 'i1']) assert.ok(newborns.has(path`/things/${id}`), id);
  assert.ok(newborns.has(path`/servers/${'s1'}/action`, 'POST'));
  assert.ok(!newborns.has(path`/flavors/${'s1'}/os-flavor-access`), 'nor may it have what others have');
  assert.ok(!newborns.has(path`/servers/${'s1'}/os-interface/${'p1'}`), 'what lies below may be absent');
  assert.ok(
    newborns.has(path`/projects/${'s1'}/users/${'u'}/roles/${'r'}`, 'PUT'),
    'a role in a new project',
  );
  now = 3_000;
  assert.ok(!newborns.has(path`/servers/${'s1'}`));
  now = 0;
  for (let count = 0; count < 1_001; count += 1) newborns.made({ port: { id: `p${count}` } });
  assert.ok(!newborns.has(path`/ports/${'p0'}`));
  assert.ok(newborns.has(path`/ports/${'p1000'}`));
});
