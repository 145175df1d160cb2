// What a cloud has against a wish, asked of a sandbox.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compileSpec } from '#engine/spec/compile.ts';
import { Power } from '#proto/pucp/driver/v1/resource.ts';
import { type DeepPartial, type NodeSpec, SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { cloudKeyName } from './key-names.ts';
import type { OfferDeps } from './offers.ts';
import { type Rig, startRig } from './testing/slice-rig.ts';
import { validate } from './validation.ts';

let rig: Rig;
before(async () => {
  rig = await startRig();
});
after(async () => {
  await rig.close();
});

const scope = { sliceId: 's1', sliceName: 'lab', userId: 'u1', username: 'ana' };

/** What is wrong with a node, as `kind name field: message`. */
async function mistakes(node: DeepPartial<NodeSpec>, deps: OfferDeps = rig.deps): Promise<string[]> {
  const spec = SliceSpec.fromPartial({
    name: 'lab',
    nodes: [{ name: 'vm1', image: 'cirros', flavor: 'nano', ...node }],
    networks: [{ name: 'lan', cidr: '10.0.0.0/24' }],
  });
  const desired = compileSpec(spec, { power: Power.ON });
  const context = { signal: AbortSignal.timeout(60_000) };
  const { violations } = await validate(deps, { scope, projectId: undefined, desired }, context);
  return violations.map(
    ({ resourceKind, resourceName, field, message }) =>
      `${resourceKind} ${resourceName} ${field}: ${message}`,
  );
}

test('a key pair must be one of the owner’s', async () => {
  const context = { signal: AbortSignal.timeout(60_000) };
  const { nova } = rig.clients;
  assert.deepEqual(await mistakes({ keyPair: 'laptop' }), [
    'server vm1 key_pair: key pair "laptop" does not exist; you have none: make or import one first',
  ]);
  const names = [cloudKeyName('test.u1', 'laptop'), cloudKeyName('test.u2', 'theirs'), 'plain'];
  for (const name of names) await nova.createKeypair({ name }, context);
  try {
    assert.deepEqual(await mistakes({ keyPair: 'laptop' }), []);
    for (const name of ['theirs', 'plain']) {
      assert.deepEqual(await mistakes({ keyPair: name }), [
        `server vm1 key_pair: key pair "${name}" does not exist; you have: laptop`,
      ]);
    }
  } finally {
    for (const name of names) await nova.deleteKeypair(name, context);
  }
});

test('a volume’s type must exist; none leaves the choice to the cloud', async () => {
  assert.deepEqual(await mistakes({ volumes: [{ size: 1 }] }), []);
  const [one = '', ...more] = await mistakes({
    volumes: [{ size: 1 }, { name: 'data', size: 1, type: 'tape' }],
  });
  assert.deepEqual(more, []);
  assert.match(one, /^volume data type: volume type "tape" does not exist; there are: ./);
});

test('a cloud without an external network gives no address outside', async () => {
  assert.deepEqual(await mistakes({ floatingIp: true }), []);
  const deps = { ...rig.deps, config: { ...rig.deps.config, externalNetwork: 'moon' } };
  const [one = ''] = await mistakes({ floatingIp: true }, deps);
  assert.match(
    one,
    /^router router external: the configured external network "moon" does not exist; there are: ./,
  );
});

test('everything that does not exist is told at once', async () => {
  const node = {
    image: 'x',
    flavor: 'y',
    keyPair: 'z',
    availabilityZone: 'v',
    volumes: [{ size: 1, type: 'w' }],
  };
  const fields = (await mistakes(node)).map((one) => one.split(':')[0]);
  assert.deepEqual(fields, [
    'volume vm1-disk1 type',
    'server vm1 image',
    'server vm1 flavor',
    'server vm1 key_pair',
    'server vm1 availability_zone',
  ]);
});
