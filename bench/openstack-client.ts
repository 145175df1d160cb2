// What our client of OpenStack costs over the bare HTTP clients, against a fixed server on this machine, all of them in turn
// in the same run; and how many calls of the cloud each thing costs that a user does.

import { freePorts } from '../scripts/ports.ts';
import { countCalls } from './openstack-client/calls.ts';
import { answersOf, type Contender, createContenders } from './openstack-client/contenders.ts';
import { startFixedServer } from './openstack-client/server.ts';
import { median, record } from './record.ts';

const ROUNDS = 9;
const REQUESTS = 600;
const AT_ONCE = 16;

type Round = { readonly perSecond: number; readonly cpuUs: number };

/** How fast each contender lists so many servers; medians over the rounds, ratios within each round to bare got. */
async function measureLists(servers: number) {
  const [port = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const server = await startFixedServer(port, answersOf(url, servers));
  const contenders = createContenders(url, AT_ONCE * 2);
  const rounds: Record<string, Round[]> = Object.fromEntries(
    Object.keys(contenders).map((name) => [name, []]),
  );
  try {
    for (let round = -2; round < ROUNDS; round += 1) {
      // Everybody has every place in the order, so that nobody always follows the same one.
      const order = Object.entries(contenders);
      for (const [name, contender] of [...order.slice(round & 3), ...order.slice(0, round & 3)]) {
        const result = await runRound(contender, servers);
        if (round >= 0) rounds[name]?.push(result);
      }
    }
  } finally {
    for (const { close } of Object.values(contenders)) close?.();
    await server.close();
  }
  const reference = rounds.got ?? [];
  return Object.fromEntries(
    Object.entries(rounds).map(([name, own]) => [
      name,
      {
        requests_per_second: median(own.map(({ perSecond }) => perSecond)),
        cpu_us_per_request: median(own.map(({ cpuUs }) => cpuUs)),
        rate_to_got: ratio(own, reference, ({ perSecond }) => perSecond),
        cpu_to_got: ratio(own, reference, ({ cpuUs }) => cpuUs),
      },
    ]),
  );
}

async function runRound({ list }: Contender, servers: number): Promise<Round> {
  let left = REQUESTS;
  const startedAt = performance.now();
  const cpuBefore = process.cpuUsage();
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      const { length } = await list();
      if (length !== servers) throw new Error(`The list has ${length} servers instead of ${servers}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const { user, system } = process.cpuUsage(cpuBefore);
  const seconds = (performance.now() - startedAt) / 1000;
  return { perSecond: REQUESTS / seconds, cpuUs: (user + system) / REQUESTS };
}

function ratio(own: readonly Round[], reference: readonly Round[], of: (round: Round) => number): number {
  return median(own.map((round, index) => of(round) / of(reference[index] ?? round)));
}

record('openstack-client', {
  what: `lists from a fixed server in a process of its own, ${AT_ONCE} at once, ${REQUESTS} a round, median of ${ROUNDS} rounds in turn; CPU of the client's process; undici is Node's own (fetch)`,
  one_server_in_the_list: await measureLists(1),
  hundred_servers_in_the_list: await measureLists(100),
  what_calls:
    'calls of the cloud for each thing a user does, against the sandbox; a wait repeats the list of servers',
  calls: await countCalls(),
});
