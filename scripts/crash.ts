// `npm run crash -- --runs 5000 --seed 1`: the crash tests' laws over as many slices as there is time for. Stops at the first
// failure and says how to see it again. `--law TEXT` runs only the laws whose names contain it, `--path` one run again,
// `--all` goes on to the next law after a failure.

import { parseArgs } from 'node:util';
import { explore } from '../tests/crash/explore.ts';
import { startLane } from '../tests/crash/lane.ts';
import { scenarios } from '../tests/crash/scenarios.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    law: { type: 'string', default: '' },
    path: { type: 'string' },
    all: { type: 'boolean', default: false },
  },
});
const laws = Object.entries(scenarios).filter(([name]) => name.includes(values.law));
if (laws.length === 0)
  throw new Error(`No law contains "${values.law}": ${Object.keys(scenarios).join(', ')}`);

const seed = Number(values.seed);
const runs = Math.ceil(Number(values.runs) / laws.length);
const startedAt = performance.now();
let done = 0;
const lane = await startLane();
try {
  for (const [name, law] of laws) {
    const { runs: ran, failure } = await explore(law, lane, { seed, runs, path: values.path });
    done += ran;
    if (failure) {
      process.exitCode = 1;
      console.error(failure.error, `\n\n${name}, of ${failure.told}. To see it again:`);
      console.error(`npm run crash -- --law '${name}' --seed ${seed} --path ${failure.path}\n`);
      if (!values.all) break;
    }
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    console.log(`${done} of ${runs * laws.length} runs, ${seconds} s, seed ${seed}: ${name}`);
  }
} finally {
  await lane.close();
}
