// `npm start`: the whole mesh in one terminal. PostgreSQL comes from node_modules unless DATABASE_URL names one, and
// OpenStack is the sandbox unless the environment names a cloud. Ctrl-C ends everything; the data stay in DATA_DIR.

import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { invalidConfig } from '#common/config.ts';
import { Failure } from '#common/errors.ts';
import { createLog } from '#common/log.ts';
import { wait } from '#common/time.ts';
import { takeFolder } from './folder-lock.ts';
import { keepPostgres } from './kept-postgres.ts';
import { portsInUse } from './ports.ts';
import { type Supervised, supervise } from './processes.ts';
import { createConsole } from './start-console.ts';
import { type Plan, planStart } from './start-plan.ts';

const READY_MS = 60_000;
const LEFTOVER_MS = 15_000;

try {
  await start(planStart(process.env));
} catch (error) {
  console.error(error instanceof Failure ? error.message : error);
  process.exitCode = 1;
}

async function start(plan: Plan): Promise<void> {
  const dataDir = resolve(plan.dataDir);
  makeFolder(dataDir);
  const { release, wasKilled } = takeFolder(dataDir);
  // What a killed launcher started ends by itself, in a few seconds.
  await checkPorts(plan, wasKilled ? LEFTOVER_MS : 0).catch((error) => {
    release();
    throw error;
  });
  const screen = createConsole();
  const log = createLog({ service: 'start', level: 'silent' });
  const children: Supervised[] = [];
  const closers: (() => Promise<void>)[] = [async () => release()];
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= (async () => {
      screen.say('stopping …');
      await Promise.all(children.map((child) => child.stop()));
      for (const close of closers.reverse()) await close();
      screen.say('stopped; your data are in', dataDir);
    })();
    return stopping;
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stop().then(
        () => process.exit(0),
        (error) => {
          console.error(error);
          process.exit(1);
        },
      );
    });
  }

  try {
    const shared = { ...plan.env };
    if (plan.needsDatabase) {
      screen.say('starting PostgreSQL …');
      const options = { dataDir: join(dataDir, 'postgres'), port: plan.databasePort, log };
      const postgres = await keepPostgres(options, screen.death);
      closers.push(() => postgres.close());
      shared.DATABASE_URL = postgres.url;
    }
    for (const { name, main } of plan.processes) {
      const { line: onLine, death: onDeath } = screen;
      children.push(supervise({ name, main, env: shared, onLine, onDeath }));
    }
    await Promise.all(plan.processes.map(({ name, readyUrl }) => untilReady(name, readyUrl, screen.say)));
    screen.welcome(plan);
  } catch (error) {
    if (!stopping) await stop();
    throw error;
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw invalidConfig([`DATA_DIR ${folder} cannot be made: ${(cause as Error).message}`]);
  }
}

async function checkPorts(plan: Plan, patienceMs: number): Promise<void> {
  const deadline = Date.now() + patienceMs;
  const ports = plan.processes.map(({ port }) => port);
  let busy = await portsInUse(ports);
  while (busy.length > 0 && Date.now() < deadline) {
    await wait(200);
    busy = await portsInUse(ports);
  }
  if (busy.length === 0) return;
  const names = plan.processes
    .filter(({ port }) => busy.includes(port))
    .map(({ name, port }) => `${port} (${name})`);
  throw new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'PORTS_IN_USE',
    message: `Something listens already on ${names.join(', ')}: stop it, or set ${busy.length > 1 ? 'other ports' : 'another port'}, such as GATEWAY_PORT=8000`,
  });
}

async function untilReady(name: string, url: string, say: (...words: string[]) => void): Promise<void> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) break;
    if (Date.now() > deadline) {
      const message = `${name} is not ready after ${READY_MS / 1000} s: ${url} does not answer 200; see its lines above`;
      throw new Failure({ code: 'UNAVAILABLE', reason: 'NOT_READY', message });
    }
    await wait(50);
  }
  say(`${name} is ready`);
}
