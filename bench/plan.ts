// How long a plan of 5,000 resources takes: the engine's own part, against nothing, against an equal world and against one
// of which every third thing is missing or differs; and over REST, from the request to the answer with every step in it. The
// yardstick of the same run is one trip of the resources through JSON.

import { dependenciesOf } from '#engine/graph.ts';
import { type Found, keyOf } from '#engine/kind.ts';
import { plan } from '#engine/plan.ts';
import { compileSpec } from '#engine/spec/compile.ts';
import { createFakeCloud } from '#engine/testing/fake-cloud.ts';
import { createVirtualClock } from '#engine/testing/virtual-clock.ts';
import { Power, Resource } from '#proto/pucp/driver/v1/resource.ts';
import { SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { median, record } from './record.ts';
import { startPlentyMesh } from './sandbox/mesh.ts';

const NODES = 994;
const ROUNDS = 9;
const NETWORKS = 10;

// Each node is a server with two ports, a volume and a floating IP.
const spec = {
  name: 'huge',
  infrastructure: 'openstack',
  networks: Array.from({ length: NETWORKS }, (_, index) => ({
    name: `net${index}`,
    cidr: `10.${index}.0.0/16`,
  })),
  nodes: Array.from({ length: NODES }, (_, index) => ({
    name: `vm${index}`,
    image: 'cirros',
    flavor: 'nano',
    networks: [`net${index % NETWORKS}`, `net${(index + 1) % NETWORKS}`],
    floating_ip: true,
    volumes: [{ size: 1 }],
  })),
};

const parsed = SliceSpec.fromJSON({ ...spec, infrastructure: 'INFRASTRUCTURE_OPENSTACK' });
const desired = compileSpec(parsed, { power: Power.ON });
const { kinds } = createFakeCloud({ clock: createVirtualClock() });
const equal = desired.map((resource): Found => found(resource));
const worn = equal
  .filter((_, index) => index % 6 !== 0)
  .map((one, index) => (index % 6 === 1 ? changed(one) : one));

const engine = {
  json: () => JSON.parse(JSON.stringify(desired.map((resource) => Resource.toJSON(resource)))),
  'against nothing': () => plan({ desired, found: [], kinds, mayReplace: () => true }),
  'against an equal world': () => plan({ desired, found: equal, kinds, mayReplace: () => true }),
  'against a worn world': () => plan({ desired, found: worn, kinds, mayReplace: () => true }),
};
const times: Record<string, number[]> = Object.fromEntries(Object.keys(engine).map((name) => [name, []]));
for (let round = -2; round < ROUNDS; round += 1) {
  for (const [name, work] of Object.entries(engine)) {
    const startedAt = performance.now();
    work();
    if (round >= 0) times[name]?.push(performance.now() - startedAt);
  }
}
const yardstickMs = median(times.json ?? []);

const mesh = await startPlentyMesh();
const rest: number[] = [];
let steps = 0;
try {
  const api = mesh.user;
  for (let round = -1; round < ROUNDS; round += 1) {
    const startedAt = performance.now();
    const answer = await api.json('POST', '/api/slices?validate_only=true', spec);
    if (round >= 0) rest.push(performance.now() - startedAt);
    steps = answer.plan.steps.length;
  }
} finally {
  await mesh.close();
}

record('plan', {
  what: `milliseconds, median of ${ROUNDS} rounds in turn; to_json is the ratio to one trip of the same resources through JSON. A worn world lacks a sixth of the resources, and another sixth differs`,
  resources: desired.length,
  json_ms: yardstickMs,
  engine: Object.fromEntries(
    Object.entries(times)
      .filter(([name]) => name !== 'json')
      .map(([name, own]) => [name, { ms: median(own), to_json: median(own) / yardstickMs }]),
  ),
  rest: { steps, ms: median(rest), to_json: median(rest) / yardstickMs },
});

function found(resource: Resource): Found {
  return {
    resource: { ...resource, cloudId: `id of ${keyOf(resource)}` },
    uses: dependenciesOf(resource).map((key) => `id of ${key}`),
    replacements: 0,
  };
}

function changed(one: Found): Found {
  const resource = structuredClone(one.resource);
  if (resource.kind?.$case === 'server' && resource.kind.value.spec)
    resource.kind.value.spec.flavor = 'other';
  if (resource.kind?.$case === 'port' && resource.kind.value.spec)
    resource.kind.value.spec.ipAddress = '10.0.0.9';
  if (resource.kind?.$case === 'volume' && resource.kind.value.spec) resource.kind.value.spec.size = 7;
  return { ...one, resource };
}
