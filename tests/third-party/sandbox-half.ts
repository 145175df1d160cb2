// The half of the comparison that needs no cloud: the list of commands, or of tempest's tests, on a sandbox of its own,
// against what a real cloud answered when it was recorded.

import { silentLog } from '#common/log.ts';
import { startSandbox } from '../../sandbox/openstack/server.ts';
import {
  type ClientRun,
  expectedAnswers,
  knownDifferences,
  runClient,
  sandboxEnvironment,
} from './client.ts';
import { compare, type Difference, weigh } from './compare.ts';
import { answersOf, expectedOutcomes, knownOutcomes, runTempest, type TempestRun } from './tempest.ts';

type Weighed = {
  /** Where the sandbox differs and nobody has said why. */
  readonly fresh: readonly Difference[];
  /** What the file of differences lists though it differs no longer. */
  readonly gone: readonly Difference[];
};

export function compareSandbox(): Promise<ClientRun & Weighed> {
  return onSandbox(async (environment) => {
    const run = await runClient(environment);
    return { ...run, ...weigh(compare(expectedAnswers(), run.answers), knownDifferences()) };
  });
}

export function tempestOnSandbox(): Promise<TempestRun & Weighed> {
  return onSandbox(async (environment) => {
    const run = await runTempest(environment);
    const differences = compare(answersOf(expectedOutcomes()), answersOf(run.outcomes));
    return { ...run, ...weigh(differences, knownOutcomes()) };
  });
}

async function onSandbox<T>(work: (environment: Record<string, string>) => Promise<T>): Promise<T> {
  const sandbox = await startSandbox({ port: 0, log: silentLog, buildDelayMs: 100 });
  try {
    return await work(sandboxEnvironment(sandbox.authUrl, 'sandbox'));
  } finally {
    await sandbox.close();
  }
}
