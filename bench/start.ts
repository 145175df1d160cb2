// How long `npm start` takes until the gateway's /health answers and until everything is ready: cold (no data yet) and
// warm (the database initialised), beside a bare Node process that answers one HTTP request, started in the same run.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wait } from '#common/time.ts';
import { startMesh } from '../tests/support/mesh.ts';
import { median, record } from './record.ts';

const RUNS = 5;
const BARE = `const s = require('node:http').createServer((q, r) => r.end('{}')).listen(0, '127.0.0.1', () => console.log(s.address().port))`;

const cold: Timing[] = [];
const warm: Timing[] = [];
const bare: number[] = [];
for (let run = 0; run < RUNS; run++) {
  bare.push(await startBare());
  const dataDir = mkdtempSync(join(tmpdir(), 'pucp-bench-'));
  cold.push(await timeMesh(dataDir));
  warm.push(await timeMesh(dataDir));
  rmSync(dataDir, { recursive: true, force: true });
}
const health = (timings: Timing[]) => median(timings.map(({ healthMs }) => healthMs));
const ready = (timings: Timing[]) => median(timings.map(({ readyMs }) => readyMs));
const reference = median(bare);
record('start', {
  what: 'milliseconds from the start of the launcher, median of 5 runs; ratio to a bare Node HTTP server in the same run',
  bare_node_ms: reference,
  cold: {
    health_ms: health(cold),
    ready_ms: ready(cold),
    health_ratio: health(cold) / reference,
    ready_ratio: ready(cold) / reference,
  },
  warm: {
    health_ms: health(warm),
    ready_ms: ready(warm),
    health_ratio: health(warm) / reference,
    ready_ratio: ready(warm) / reference,
  },
});

type Timing = { readonly healthMs: number; readonly readyMs: number };

async function timeMesh(dataDir: string): Promise<Timing> {
  const startedAt = performance.now();
  const ports = {
    GATEWAY_PORT: 15900,
    AUTH_PORT: 15901,
    SLICE_PORT: 15902,
    OPENSTACK_PORT: 15906,
    SANDBOX_PORT: 15990,
    POSTGRES_PORT: 15932,
  };
  const healthy = untilHealthy(`http://127.0.0.1:${ports.GATEWAY_PORT}/health`).then(
    () => performance.now() - startedAt,
  );
  const mesh = await startMesh({ dataDir, ports });
  const readyMs = performance.now() - startedAt;
  const healthMs = await healthy;
  await mesh.stop();
  return { healthMs, readyMs };
}

async function startBare(): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, ['-e', BARE], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  await untilHealthy(`http://127.0.0.1:${port.toString().trim()}/`);
  const ms = performance.now() - startedAt;
  child.kill();
  await once(child, 'exit');
  return ms;
}

async function untilHealthy(url: string): Promise<void> {
  for (;;) {
    const answer = await fetch(url).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await wait(10);
  }
}
