// A class: thirty students, each with a project of their own, have slices of five nodes deployed at the same moment on the
// real OpenStack that OS_* name. How long until all run, whom it took longest, and whether anybody was kept waiting while
// others were served; beside the bare script, which makes as many networks and servers in one project.

import { administrator } from '../tests/support/openstack.ts';
import { startBare } from './deploy/bare.ts';
import { sliceOf, startOurMesh, untilStatus } from './deploy/ours.ts';
import { spread } from './deploy/shapes.ts';
import { median, record } from './record.ts';

const STUDENTS = Number(process.env.STUDENTS ?? 30);
const NODES = 5;

type Student = {
  /** Seconds from the request. */
  readonly firstNodeS: number;
  readonly allNodesS: number;
  /** The longest time in which nothing was heard of the slice. */
  readonly silentS: number;
};

if (!process.env.OS_AUTH_URL) {
  console.log('Skipped: OS_* name no cloud, and this benchmark runs on a real OpenStack');
} else {
  const bareS = await bare();
  await ours((students) => save(bareS, students));
}

function save(bareS: number, students: readonly Student[]): void {
  const times = students.map(({ allNodesS }) => allNodesS);
  const last = Math.max(...times);
  record('class', {
    what: `${STUDENTS} slices of ${NODES} nodes asked for at once, seconds from the requests; the bare script makes ${STUDENTS * NODES} servers on ${STUDENTS} networks in one project. silent is the longest time that a slice's user heard nothing; fairness is Jain's index of the times to active, 1 if all are equal`,
    bare_s: bareS,
    all_active_s: last,
    all_active_to_bare: last / bareS,
    slice_active_s: { first: Math.min(...times), median: median(times), last },
    first_node_s: spanOf(students.map(({ firstNodeS }) => firstNodeS)),
    silent_s: spanOf(students.map(({ silentS }) => silentS)),
    fairness: sum(times) ** 2 / (times.length * sum(times.map((time) => time ** 2))),
  });
}

async function bare(): Promise<number> {
  const contender = await startBare(administrator());
  try {
    const startedAt = performance.now();
    const id = await contender.deploy('class', spread(STUDENTS * NODES, STUDENTS));
    const seconds = (performance.now() - startedAt) / 1000;
    console.log(`the bare script took ${seconds.toFixed(1)} s`);
    await contender.remove(id);
    return seconds;
  } finally {
    await contender.close();
  }
}

/** Hands on what was measured before it cleans up, which takes minutes. */
async function ours(measured: (students: Student[]) => void): Promise<void> {
  const mesh = await startOurMesh();
  try {
    const names = Array.from({ length: STUDENTS }, (_, index) => `bench-${process.pid}-${index}`);
    const apis = await Promise.all(names.map(mesh.user));
    const startedAt = performance.now();
    const deployed = await Promise.all(
      apis.map(async (api, index) => {
        const { id } = await api.json('POST', '/api/slices', sliceOf(`lab${index}`, spread(NODES, 1)));
        let firstNodeS = Number.NaN;
        let heardAt = startedAt;
        let silentS = 0;
        await untilStatus(api, id, 'active', ({ resource_kind: kind, resource_state: state }) => {
          const now = performance.now();
          silentS = Math.max(silentS, (now - heardAt) / 1000);
          heardAt = now;
          if (Number.isNaN(firstNodeS) && kind === 'server' && state === 'ready') {
            firstNodeS = (now - startedAt) / 1000;
          }
        });
        const allNodesS = (performance.now() - startedAt) / 1000;
        console.log(`slice ${index + 1} is active after ${allNodesS.toFixed(1)} s`);
        return { api, id, student: { firstNodeS, allNodesS, silentS } };
      }),
    );
    measured(deployed.map(({ student }) => student));
    await Promise.all(
      deployed.map(async ({ api, id }) => {
        await api.json('DELETE', `/api/slices/${id}`);
        await untilStatus(api, id, 'deleted');
      }),
    );
  } finally {
    await mesh.close();
  }
}

function spanOf(values: readonly number[]) {
  return { median: median(values), worst: Math.max(...values) };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
