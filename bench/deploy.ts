// How long it takes until a slice runs, and how much the cloud is asked for it: ours, Heat, and a bare script that issues the
// fewest calls, in turn on the same real OpenStack (OS_*, such as the one of the tests, with Heat).
//   npm run bench -- deploy                              three runs of each, more than half an hour on two cores
//   RUNS=5 SHAPES=one,ring npm run bench -- deploy       these only; the others keep the result that they have

import { administrator } from '../tests/support/openstack.ts';
import { startBare } from './deploy/bare.ts';
import type { Contender } from './deploy/contender.ts';
import { startHeat } from './deploy/heat.ts';
import { startOurs } from './deploy/ours.ts';
import { loggedRequests } from './deploy/projects.ts';
import { ring, type Shape, spread } from './deploy/shapes.ts';
import { median, record, recorded } from './record.ts';

const SHAPES: Readonly<Record<string, { readonly what: string; readonly shape: Shape }>> = {
  one: { what: 'one node on one network', shape: spread(1, 1) },
  ring: { what: 'ring of 10 nodes, 10 link networks, 20 ports', shape: ring(10) },
  fifty: { what: '50 nodes on 10 networks', shape: spread(50, 10) },
};
const RUNS = Number(process.env.RUNS ?? 3);
const chosen = process.env.SHAPES?.split(',') ?? Object.keys(SHAPES);

type Run = {
  readonly deployS: number;
  readonly removeS: number;
  readonly calls: number | undefined;
  readonly logged: number | undefined;
};

if (!process.env.OS_AUTH_URL) {
  console.log('Skipped: OS_* name no cloud, and this benchmark runs on a real OpenStack');
} else {
  const contenders = {
    bare: await startBare(administrator()),
    ours: await startOurs(),
    heat: await startHeat(administrator()),
  };
  try {
    for (const contender of Object.values(contenders)) await measure(contender, 'warm-up', spread(1, 1));
    for (const name of chosen) {
      const { what, shape } = SHAPES[name] ?? unknown(name);
      const result = summary(await inTurn(contenders, name, shape), shape);
      const shapes = { ...(recorded('deploy').shapes as object), [what]: { runs: RUNS, ...result } };
      record('deploy', {
        what: "seconds from the request until every server is ACTIVE, and from the removal until nothing is left; medians of runs in turn on one OpenStack. Ratios are to the bare script in the same run. api_calls are those of the contender itself, while it deploys; logged_requests what Nova, Neutron and Cinder wrote down for its project, Nova's own of Neutron included",
        shapes,
      });
    }
  } finally {
    for (const contender of Object.values(contenders)) await contender.close();
  }
}

async function inTurn(
  contenders: Readonly<Record<string, Contender>>,
  name: string,
  shape: Shape,
): Promise<Record<string, Run[]>> {
  const runs: Record<string, Run[]> = Object.fromEntries(Object.keys(contenders).map((one) => [one, []]));
  for (let run = 0; run < RUNS; run += 1) {
    const order = Object.entries(contenders);
    const first = run % order.length;
    for (const [who, contender] of [...order.slice(first), ...order.slice(0, first)]) {
      const result = await measure(contender, `${name}-${run}`, shape);
      console.log(`${name} ${run + 1}/${RUNS} ${who}: ${JSON.stringify(result)}`);
      runs[who]?.push(result);
    }
  }
  return runs;
}

async function measure(contender: Contender, name: string, shape: Shape): Promise<Run> {
  const [calls = Number.NaN, logged = Number.NaN] = [
    await contender.calls(),
    loggedRequests(contender.projectId()),
  ];
  const startedAt = performance.now();
  const id = await contender.deploy(name, shape);
  const deployS = (performance.now() - startedAt) / 1000;
  const [callsAfter = Number.NaN, loggedAfter = Number.NaN] = [
    await contender.calls(),
    loggedRequests(contender.projectId()),
  ];
  const removedAt = performance.now();
  await contender.remove(id);
  const removeS = (performance.now() - removedAt) / 1000;
  const known = (count: number) => (Number.isNaN(count) ? undefined : count);
  return { deployS, removeS, calls: known(callsAfter - calls), logged: known(loggedAfter - logged) };
}

function summary(runs: Readonly<Record<string, readonly Run[]>>, { nodes }: Shape): Record<string, unknown> {
  const bare = runs.bare ?? [];
  return Object.fromEntries(
    Object.entries(runs).map(([who, own]) => {
      const of = (what: keyof Run) => median(own.map((run) => run[what] ?? Number.NaN));
      const toBare = (what: 'deployS' | 'removeS') =>
        median(own.map((run, index) => run[what] / (bare[index]?.[what] ?? Number.NaN)));
      const calls =
        own[0]?.calls === undefined
          ? {}
          : { api_calls: of('calls'), beyond_servers: of('calls') - nodes.length };
      const logged = own[0]?.logged === undefined ? {} : { logged_requests: of('logged') };
      return [
        who,
        {
          deploy_s: of('deployS'),
          deploy_to_bare: toBare('deployS'),
          remove_s: of('removeS'),
          remove_to_bare: toBare('removeS'),
          ...calls,
          ...logged,
        },
      ];
    }),
  );
}

function unknown(name: string): never {
  throw new Error(`no shape "${name}"; there are ${Object.keys(SHAPES).join(', ')}`);
}
