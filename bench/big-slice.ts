// A slice of 500 nodes on a sandbox that takes no time: how long until it runs, until one node more runs, and until nothing is
// left, and what CPU and memory each process of the mesh takes for it; beside the bare script on the same sandbox.

import { startBare } from './deploy/bare.ts';
import { sliceOf, untilStatus } from './deploy/ours.ts';
import { type Shape, spread } from './deploy/shapes.ts';
import { record } from './record.ts';
import { type PlentyMesh, startPlentyMesh } from './sandbox/mesh.ts';

const NODES = 500;
const NETWORKS = 10;

type Phase = {
  readonly seconds: number;
  /** CPU seconds by process. */
  readonly cpu: Readonly<Record<string, number>>;
};

const mesh = await startPlentyMesh();
try {
  const { user } = mesh;
  let id = '';
  const deployed = await measure(mesh, async () => {
    id = (await user.json('POST', '/api/slices', sliceOf('big', shapeOf(NODES)))).id;
    await untilStatus(user, id, 'active');
  });
  const changed = await measure(mesh, async () => {
    await user.json('PUT', `/api/slices/${id}`, sliceOf('big', shapeOf(NODES + 1)));
    await untilStatus(user, id, 'active');
  });
  const removed = await measure(mesh, async () => {
    await user.json('DELETE', `/api/slices/${id}`);
    await untilStatus(user, id, 'deleted');
  });
  const peaks = Object.entries(await mesh.use()).map(([name, { peakMib }]) => [name, peakMib]);

  const bare = await startBare(mesh.administrator);
  let bareId = '';
  const bareDeployed = await measure(mesh, async () => {
    bareId = await bare.deploy('big', shapeOf(NODES));
  });
  const bareRemoved = await measure(mesh, () => bare.remove(bareId));
  await bare.close();

  record('big-slice', {
    what: `a slice of ${NODES} nodes on ${NETWORKS} networks, on a sandbox without delays, once; seconds, CPU seconds of each process, and the most memory it held. The bare script is the one of bench/deploy, on the same sandbox in the same run`,
    deploy: { ...deployed, to_bare: deployed.seconds / bareDeployed.seconds },
    one_node_more: { ...changed, to_bare: changed.seconds / bareDeployed.seconds },
    remove: { ...removed, to_bare: removed.seconds / bareRemoved.seconds },
    peak_mib: Object.fromEntries(peaks),
    bare: { deploy: bareDeployed, remove: bareRemoved },
  });
} finally {
  await mesh.close();
}

function shapeOf(nodes: number): Shape {
  return spread(nodes, NETWORKS);
}

async function measure({ use }: PlentyMesh, work: () => Promise<void>): Promise<Phase> {
  const before = await use();
  const startedAt = performance.now();
  await work();
  const seconds = (performance.now() - startedAt) / 1000;
  const after = await use();
  const cpu = Object.entries(after).map(([name, { cpuS }]) => [
    name,
    cpuS - before[name as keyof typeof before].cpuS,
  ]);
  return { seconds, cpu: Object.fromEntries(cpu) };
}
