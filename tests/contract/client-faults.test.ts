// The client against the sandbox's faults: what goes wrong for a moment is not noticed by who calls, and nothing is made twice.

import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { silentLog } from '#common/log.ts';
import { startSandbox } from '../../sandbox/openstack/server.ts';
import { createCloud } from '../../services/openstack/api/cloud.ts';
import { readCloud } from '../../services/openstack/cloud-config.ts';

const sandbox = await startSandbox({ port: 0, log: silentLog });
const cloud = createCloud(
  readCloud({
    OS_AUTH_URL: sandbox.authUrl,
    OS_USERNAME: 'admin',
    OS_PASSWORD: 'sandbox',
    OS_PROJECT_NAME: 'admin',
  }),
  { log: silentLog },
);
const { neutron } = cloud.project('home');
const context = { signal: AbortSignal.timeout(60_000) };
const faults = `${new URL(sandbox.authUrl).origin}/_sandbox/faults`;
after(async () => {
  cloud.close();
  await sandbox.close();
});
beforeEach(() => fetch(faults, { method: 'DELETE' }));

async function fault(rule: object): Promise<void> {
  const answer = await fetch(faults, { method: 'POST', body: JSON.stringify(rule) });
  assert.equal(answer.status, 201, await answer.text());
}

const ONE_NETWORK = '/networks/[0-9a-f-]+$';

test('a network that was just made is read, changed and deleted although the cloud does not know it at first', async () => {
  const { id } = await neutron.networks.create({ name: 'lagging' }, context);
  for (const method of ['GET', 'PUT', 'DELETE']) {
    await fault({ match: { method, path: ONE_NETWORK }, effect: 'error-before', status: 404, times: 1 });
  }
  assert.equal((await neutron.networks.get(id, context)).id, id);
  await neutron.networks.change(id, { description: 'found' }, context);
  await neutron.networks.remove(id, context);
  assert.deepEqual(await neutron.networks.list({ name: 'lagging' }, context), []);
});

for (const effect of ['429', 'reset', 'error-before'] as const) {
  test(`a list survives one ${effect}`, async () => {
    await fault({ match: { method: 'GET', path: '/networks$' }, effect });
    assert.ok((await neutron.networks.list({}, context)).length > 0);
  });
}

test('a creation that was turned away with 429 is made, and made once', async () => {
  await fault({ match: { method: 'POST', path: '/networks$' }, effect: '429' });
  const { id } = await neutron.networks.create({ name: 'patient' }, context);
  const found = await neutron.networks.list({ name: 'patient' }, context);
  assert.deepEqual(
    found.map((network) => network.id),
    [id],
  );
});

test('a creation whose answer is lost fails, was made once, and is found by its name', async () => {
  await fault({ match: { method: 'POST', path: '/networks$' }, effect: 'drop-after' });
  await assert.rejects(neutron.networks.create({ name: 'lost' }, context), { reason: 'CLOUD_UNREACHABLE' });
  assert.equal((await neutron.networks.list({ name: 'lost' }, context)).length, 1);
});

test('a deletion whose answer is lost is done', async () => {
  const { id } = await neutron.networks.create({ name: 'gone' }, context);
  await fault({ match: { method: 'DELETE', path: ONE_NETWORK }, effect: 'drop-after' });
  await neutron.networks.remove(id, context);
  assert.deepEqual(await neutron.networks.list({ name: 'gone' }, context), []);
});
