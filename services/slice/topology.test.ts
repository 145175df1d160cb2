// Slices that are asked for by their shape.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { type DeepPartial, SliceState } from '#proto/pucp/slice/v1/slice.ts';
import type { CreateSliceRequest } from '#proto/pucp/slice/v1/slice_service.ts';
import { ANA, as, type Mesh, request, startMesh, untilState } from './testing/harness.ts';

let mesh: Mesh;
before(async () => {
  mesh = await startMesh();
});
after(async () => {
  await mesh?.[Symbol.asyncDispose]();
});

const ring = { type: 'ring', nodes: 3, image: 'ubuntu-20.04', flavor: 'small' };

async function create(changes: DeepPartial<CreateSliceRequest>) {
  return mesh.client.createSlice(request(changes), await as(ANA));
}

async function refusal(changes: DeepPartial<CreateSliceRequest>): Promise<string[]> {
  const failure = await create(changes).catch((error: unknown) => error);
  assert.ok(failure instanceof Failure);
  assert.equal(failure.code, 'INVALID_ARGUMENT');
  return failure.violations.map(({ field, message }) => `${field}: ${message}`);
}

test('a ring becomes nodes and links that the slice shows, and is deployed', async () => {
  const { id, resources } = await create({ nodes: [], networks: [], topology: ring });
  assert.equal(resources?.totalVcpus, 3);
  const slice = await untilState(mesh, id, SliceState.ACTIVE);
  assert.deepEqual(
    slice.nodes.map(({ name }) => name),
    ['node-1', 'node-2', 'node-3'],
  );
  assert.deepEqual(
    slice.networks.map(({ name, cidr }) => [name, cidr]),
    [
      ['node-1-node-2', '10.255.0.0/29'],
      ['node-2-node-3', '10.255.0.8/29'],
      ['node-3-node-1', '10.255.0.16/29'],
    ],
  );
});

test('a topology stands beside nodes, networks and groups of the request, which the slice shows, too', async () => {
  const securityGroups = [{ name: 'web', rules: [{ protocol: 'tcp', portMin: 80 }] }];
  const connections = [{ source: 'vm1', target: 'node-2' }];
  const { id } = await create({ topology: ring, connections, securityGroups });
  const slice = await untilState(mesh, id, SliceState.ACTIVE);
  assert.equal(slice.nodeCount, 4);
  assert.deepEqual(slice.connections[0]?.networkName, 'vm1-node-2');
  assert.deepEqual(
    slice.securityGroups.map(({ name, rules }) => [name, rules.length]),
    [['web', 1]],
  );
});

test('mistakes in a topology, beside it and of the cloud come in one answer, at the fields that were written', async () => {
  const topology = { type: 'rign', nodes: 3, image: 'beos', flavor: '' };
  const told = await refusal({ topology, nodes: [{ name: 'vm1', image: '', flavor: 'small' }] });
  const fields = told.map((one) => one.split(':')[0]);
  assert.deepEqual(fields.sort(), ['nodes[0].image', 'topology.flavor', 'topology.image', 'topology.type']);
  assert.match(told.join(), /use one of linear \(2 to 20 nodes\), ring \(3 to 15 nodes\)/);
  assert.deepEqual(await refusal({ topology: { ...ring, image: 'beos' } }), [
    'topology.image: there is no image "beos"',
  ]);
  assert.deepEqual(await refusal({ topology: { ...ring, nodes: 16 } }), [
    'topology.nodes: 16 are asked for; a ring has 3 to 15 nodes',
  ]);
});

test('the shapes that there are can be listed', async () => {
  const { topologies } = await mesh.client.listTopologies({}, await as(ANA));
  assert.deepEqual(
    topologies.map(({ type, minNodes, maxNodes }) => `${type} ${minNodes}-${maxNodes}`),
    ['linear 2-20', 'ring 3-15', 'star 2-10', 'bus 3-20', 'tree 3-15', 'mesh 2-8'],
  );
});
