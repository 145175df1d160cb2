import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Power } from '#proto/pucp/driver/v1/resource.ts';
import { checkSpec } from './check.ts';
import { compileSpec } from './compile.ts';
import { LIMITS, nodeOf, specOf } from './testing/specs.ts';
import { volumeResources } from './volumes.ts';

test('volumes without a name are called after their node and place, and reach the server in order', () => {
  const volumes = [{ size: 1 }, { name: 'data', size: 5, type: 'fast' }, { size: 2 }];
  const spec = specOf({ nodes: [nodeOf('vm1', { volumes })] });
  assert.deepEqual(checkSpec(spec, LIMITS), []);
  assert.deepEqual(
    volumeResources(spec).map(({ name, kind }) => [name, kind?.$case === 'volume' && kind.value.spec]),
    [
      ['vm1-disk1', { size: 1, type: '' }],
      ['data', { size: 5, type: 'fast' }],
      ['vm1-disk3', { size: 2, type: '' }],
    ],
  );
  const server = compileSpec(spec, { power: Power.ON }).find(({ kind }) => kind?.$case === 'server');
  assert.deepEqual(server?.kind?.$case === 'server' && server.kind.value.spec?.volumes, [
    'vm1-disk1',
    'data',
    'vm1-disk3',
  ]);
});

test('all mistakes in volumes are told at once, with what is allowed', () => {
  const spec = specOf({
    nodes: [
      nodeOf('vm1', {
        volumes: [{ size: 0 }, { name: 'x/y', size: 1 }, { name: 'vm1-DISK1', size: 70_000 }],
      }),
      nodeOf('vm2', { volumes: Array.from({ length: 17 }, () => ({ size: 1 })) }),
    ],
  });
  assert.deepEqual(
    checkSpec(spec, LIMITS).map(({ field, message }) => `${field}: ${message}`),
    [
      'nodes[0].volumes[0].size: is 0 GiB; use 1 to 65536',
      'nodes[0].volumes[1].name: "x/y" is not a volume\'s name: letters, digits and inner dashes and dots, at most 63',
      'nodes[0].volumes[2].name: "vm1-DISK1" is already the name of nodes[0].volumes[0]',
      'nodes[0].volumes[2].size: is 70000 GiB; use 1 to 65536',
      'nodes[1].volumes: 17 are asked for, at most 16 are allowed for a node',
    ],
  );
});
