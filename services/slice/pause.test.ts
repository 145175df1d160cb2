import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { ANA, as, request, startMesh, statesOf, until, untilDeleted, untilState } from './testing/harness.ts';

const { DEPLOYING, ACTIVE, DELETING, DELETED } = SliceState;

test('a worker that was paused and comes back finds its slice taken, and writes nothing more', async () => {
  await using mesh = await startMesh({ env: { SLICE_WORKERS: '1', LOG_LEVEL: 'info' } });
  const ana = await as(ANA);
  const driver = mesh.driver();
  driver.hold();
  // Fills the one worker of this process, so that the next slice falls to the process that is to be paused.
  const { id: filler } = await mesh.client.createSlice(request({ name: 'filler' }), ana);
  await until(() => driver.isBusy(filler), Boolean);
  const main = join(import.meta.dirname, 'main.ts');
  const stdio = ['ignore', 'pipe', 'ignore'] as const;
  const child = spawn(process.execPath, [main], { env: { ...process.env, ...mesh.env }, stdio: [...stdio] });
  const lines: string[] = [];
  if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  try {
    const { id } = await mesh.client.createSlice(request({ name: 'victim' }), ana);
    await until(() => driver.isBusy(id), Boolean);
    child.kill('SIGSTOP');
    await mesh.client.deleteSlice({ id: filler }, ana);
    driver.release();
    await untilDeleted(mesh, filler);
    await untilState(mesh, id, ACTIVE);
    const callsOfVictim = () => driver.calls.filter((call) => call.scope?.sliceId === id);
    const fencesBefore = callsOfVictim().map((call) => call.fence);
    child.kill('SIGCONT');
    // It hears of the takeover, or finds its slice taken when it writes, whichever comes first.
    const isGivenUp = (line: string) => /another worker has taken over|work called off/.test(line);
    await until(
      () => lines,
      (all) => all.some((line) => isGivenUp(line) && line.includes(id)),
    );
    assert.deepEqual(fencesBefore, [1, 2]);
    assert.equal(callsOfVictim().length, 2);
    await mesh.client.deleteSlice({ id }, ana);
    const events = await untilDeleted(mesh, id);
    assert.deepEqual(statesOf(events), [DEPLOYING, ACTIVE, DELETING, DELETED]);
    assert.ok(!events.some((event) => /waits/.test(event.message)));
  } finally {
    child.kill('SIGKILL');
  }
});
