// `npm test`: every test on one PostgreSQL that this script starts. Arguments are folders or files to run instead of all;
// `--cloud` runs the contract suite against the OpenStack that the environment names.

import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { silentLog } from '#common/log.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';

const ROOT = resolve(import.meta.dirname, '..');
const PLACES = ['common', 'engine', 'services', 'gateway', 'sandbox', 'scripts', 'tests'];

const isCloud = process.argv.includes('--cloud');
const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const places = named.length > 0 ? named : isCloud ? ['tests/contract'] : PLACES;
const files = places.flatMap((place) =>
  place.endsWith('.ts') ? [place] : globSync(`${place}/**/*.test.ts`, { cwd: ROOT }).sort(),
);
if (files.length === 0) throw new Error(`No tests in ${places.join(', ')}`);

const folder = mkdtempSync(join(tmpdir(), 'pucp-tests-'));
const postgres = process.env.TEST_DATABASE_URL
  ? undefined
  : await startEmbeddedPostgres({ dataDir: join(folder, 'postgres'), log: silentLog, durable: false });
try {
  process.exitCode = await run();
} finally {
  await postgres?.close();
  rmSync(folder, { recursive: true, force: true });
}

function run(): Promise<number> {
  const env = {
    ...withoutCloud(),
    TEST_DATABASE_URL: postgres?.url ?? process.env.TEST_DATABASE_URL,
    NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/compile'),
  };
  // A real cloud takes its time; what it is given to do side by side is little.
  const limits = isCloud
    ? ['--test-concurrency=2', '--test-timeout=1200000']
    : ['--test-concurrency=3', '--test-timeout=300000'];
  const args = ['--test', ...limits, ...files];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit', env });
  const stop = (signal: NodeJS.Signals) => child.kill(signal);
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  return new Promise((done) => child.once('exit', (code) => done(code ?? 1)));
}

// A cloud in the environment must not be touched by tests that expect the sandbox.
function withoutCloud(): NodeJS.ProcessEnv {
  if (isCloud) return { ...process.env, CONTRACT_CLOUD: 'env' };
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(OS_|OPENSTACK_|JWT_SECRET_KEY|DATABASE_URL|DATA_DIR|LOG_DIR)/.test(name),
    ),
  );
}
