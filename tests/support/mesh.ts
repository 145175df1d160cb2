// The whole mesh as a user starts it, on free ports and with data of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { wait } from '#common/time.ts';
import { freePorts } from '../../scripts/ports.ts';

export type Mesh = {
  readonly gateway: string;
  readonly ports: Readonly<Record<PortName, number>>;
  readonly dataDir: string;
  /** What the mesh has written so far. */
  output(): string;
  /** Ctrl-C; resolves when all is gone. */
  stop(): Promise<void>;
  /** kill -9 of the launcher and of every process it started, the database included. */
  kill(): Promise<void>;
  /** kill -9 of the launcher, and of nothing else. */
  killLauncher(): Promise<void>;
  /** kill -9 of one service, such as `slice`, or of the gateway; the launcher starts it again. */
  killService(name: string): Promise<void>;
  /** Stops one of them as it stands (SIGSTOP), and lets it go on (SIGCONT). */
  pauseService(name: string): Promise<void>;
  continueService(name: string): Promise<void>;
  /** The process of a service, such as `slice`, of the gateway or of the sandbox. */
  pidOf(name: string): Promise<number>;
  /** kill -9 of PostgreSQL's first process. */
  killDatabase(): Promise<void>;
};

const ROOT = resolve(import.meta.dirname, '../..');
const READY_MS = 120_000;
const PORTS = [
  'GATEWAY_PORT',
  'AUTH_PORT',
  'SLICE_PORT',
  'OPENSTACK_PORT',
  'SANDBOX_PORT',
  'POSTGRES_PORT',
] as const;
type PortName = (typeof PORTS)[number];

export type MeshOptions = {
  /** Another mesh's, to find its data again. */
  readonly dataDir?: string;
  readonly ports?: Mesh['ports'];
  readonly env?: Readonly<Record<string, string>>;
};

/** Starts `npm start`'s script and waits until it says that the mesh is ready. */
export async function startMesh(options: MeshOptions = {}): Promise<Mesh> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'pucp-mesh-'));
  const ports = options.ports ?? (await choosePorts());
  const { DATABASE_URL: _, ...inherited } = process.env;
  const env = { ...inherited, SANDBOX_BUILD_MS: '300', ...options.env, ...ports, DATA_DIR: dataDir };
  const child = spawn(process.execPath, [join(ROOT, 'scripts/start.ts')], {
    cwd: ROOT,
    env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)])),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const ready = untilReady(child, lines);
  const exited = once(child, 'exit');
  await ready;
  function pidOf(name: string): Promise<number> {
    const folders: Readonly<Record<string, string>> = { gateway: 'gateway', sandbox: 'sandbox/openstack' };
    return childOf(child.pid ?? 0, `${folders[name] ?? `services/${name}`}/main.ts`);
  }
  async function signalService(name: string, signal: NodeJS.Signals): Promise<void> {
    process.kill(await pidOf(name), signal);
  }
  return {
    gateway: `http://localhost:${ports.GATEWAY_PORT}`,
    ports,
    dataDir,
    output: () => lines.join('\n'),
    async stop() {
      child.kill('SIGINT');
      await exited;
    },
    async killLauncher() {
      child.kill('SIGKILL');
      await exited;
    },
    pidOf,
    killService: (name) => signalService(name, 'SIGKILL'),
    pauseService: (name) => signalService(name, 'SIGSTOP'),
    continueService: (name) => signalService(name, 'SIGCONT'),
    async killDatabase() {
      const [line] = readFileSync(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8').split('\n');
      process.kill(Number(line), 'SIGKILL');
    },
    async kill() {
      const pids = await descendants(child.pid ?? 0);
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      await exited;
    },
  };
}

/** Stops a mesh and forgets its data. */
export async function removeMesh(mesh: Mesh): Promise<void> {
  await mesh.stop();
  rmSync(mesh.dataDir, { recursive: true, force: true });
}

function untilReady(child: ChildProcess, lines: string[]): Promise<void> {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error(`the mesh is not ready:\n${lines.join('\n')}`)), READY_MS);
    const end = () => fail(new Error(`the mesh ended at its start:\n${lines.join('\n')}`));
    child.once('exit', end);
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        if (!line.includes('the mesh is ready')) return;
        clearTimeout(timer);
        child.off('exit', end);
        done();
      });
    }
  });
}

// The launcher first, so that it starts nothing again.
async function descendants(root: number): Promise<number[]> {
  const found = [root];
  for (const pid of found) {
    const children = await readChildren(pid);
    found.push(...children);
  }
  return found;
}

async function readChildren(pid: number): Promise<number[]> {
  return (await listChildren(pid)).map(Number).filter(Boolean);
}

async function childOf(parent: number, command: string): Promise<number> {
  const line = (await listChildren(parent, 'pid=,args=')).find((one) => one.includes(command));
  if (!line) throw new Error(`no child of ${parent} runs ${command}`);
  return Number.parseInt(line, 10);
}

async function listChildren(parent: number, columns = 'pid='): Promise<string[]> {
  const args = ['-ww', '-o', columns, '--ppid', String(parent)];
  const ps = spawn('ps', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  ps.stdout.on('data', (chunk) => {
    text += chunk;
  });
  await once(ps, 'close');
  return text.split('\n');
}

async function choosePorts(): Promise<Mesh['ports']> {
  const ports = await freePorts(PORTS.length);
  return Object.fromEntries(PORTS.map((name, index) => [name, ports[index]])) as Mesh['ports'];
}

/** Asks until the answer is the wanted one; fails with the last answer after a minute. */
export async function until<T>(
  ask: () => Promise<T>,
  isWanted: (answer: T) => boolean,
  withinMs = 60_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (isWanted(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`still not as wanted: ${JSON.stringify(answer)}`);
    await wait(100);
  }
}
