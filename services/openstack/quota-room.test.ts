import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { quotasFor } from './quota-room.ts';
import { DEFAULT_QUOTAS } from './tables.ts';
import { type Rig, startRig } from './testing/slice-rig.ts';

let rig: Rig;
before(async () => {
  rig = await startRig();
});
after(() => rig?.close());

const within = { signal: AbortSignal.timeout(60_000) };
const needed = { instances: 1, ports: 2, volumes: 1 };

async function ask() {
  const deps = { cloud: rig.cloud, config: { quotas: DEFAULT_QUOTAS } };
  const projectId = await rig.clients.projectId(within);
  return (await quotasFor(deps, { projectId, needed }, within)).map(({ name }) => name);
}

test('a service that keeps its quotas to administrators bounds nothing, and the others do all the same', async () => {
  assert.deepEqual(await ask(), ['instances', 'ports', 'volumes']);
  const fault = {
    match: { service: 'network', path: '/quotas/' },
    effect: 'error-before',
    status: 403,
    times: null,
  };
  const faults = new URL('/_sandbox/faults', rig.sandbox?.authUrl);
  await fetch(faults, { method: 'POST', body: JSON.stringify(fault) });
  assert.deepEqual(await ask(), ['instances', 'volumes']);
  await fetch(faults, { method: 'DELETE' });
});

test('a service that does not answer is no room that nobody bounds', async () => {
  const fault = {
    match: { service: 'compute', path: '/os-quota-sets/' },
    effect: 'error-before',
    times: null,
  };
  const faults = new URL('/_sandbox/faults', rig.sandbox?.authUrl);
  await fetch(faults, { method: 'POST', body: JSON.stringify(fault) });
  await assert.rejects(ask(), { code: 'UNAVAILABLE' });
  await fetch(faults, { method: 'DELETE' });
});
