import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { Secret } from '#common/config.ts';
import { openDatabase } from '#common/database.ts';
import { silentLog } from '#common/log.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { ANA, as, request, startMesh, statesOf, until, untilDeleted, untilState } from './testing/harness.ts';

const { DEPLOYING, ACTIVE, DELETING, DELETED } = SliceState;

test('a worker that is killed loses its slice to another, which ends the work', async () => {
  await using mesh = await startMesh({ env: { SLICE_WORKERS: '1' } });
  const ana = await as(ANA);
  const driver = mesh.driver();
  driver.hold();
  // Fills the one worker of this process, so that the next slice falls to the process that is to be killed.
  const { id: filler } = await mesh.client.createSlice(request({ name: 'filler' }), ana);
  await until(() => driver.isBusy(filler), Boolean);
  const main = join(import.meta.dirname, 'main.ts');
  const child = spawn(process.execPath, [main], { env: { ...process.env, ...mesh.env }, stdio: 'ignore' });
  try {
    const { id } = await mesh.client.createSlice(request({ name: 'victim' }), ana);
    await until(() => driver.isBusy(id), Boolean);
    child.kill('SIGKILL');
    await once(child, 'exit');
    driver.release();
    await untilState(mesh, filler, ACTIVE);
    await untilState(mesh, id, ACTIVE);
    const fences = driver.calls.filter((call) => call.scope?.sliceId === id).map((call) => call.fence);
    assert.equal(fences.length, 2);
    assert.ok((fences[1] ?? 0) > (fences[0] ?? 0), `fences ${fences}`);
    await mesh.client.deleteSlice({ id }, ana);
    assert.deepEqual(statesOf(await untilDeleted(mesh, id)), [DEPLOYING, ACTIVE, DELETING, DELETED]);
    assert.equal(driver.overlaps(), 0);
  } finally {
    child.kill('SIGKILL');
  }
});

test('a worker that ends properly hands its slices over at once', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  const second = await mesh.replica();
  const driver = mesh.driver();
  driver.hold();
  const ids: string[] = [];
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
    ids.push((await mesh.client.createSlice(request({ name }), ana)).id);
  }
  await until(
    () => ids.filter((id) => driver.isBusy(id)).length,
    (busy) => busy === ids.length,
  );
  const before = driver.calls.length;
  await second.close();
  await until(
    () => ids.filter((id) => driver.isBusy(id)).length,
    (busy) => busy >= 4,
  );
  driver.release();
  for (const id of ids) await untilState(mesh, id, ACTIVE);
  assert.ok(driver.calls.length > before, 'the first replica took slices over');
  assert.equal(driver.overlaps(), 0);
});

test('watchers and workers go on when the database drops every connection', async () => {
  await using mesh = await startMesh();
  const ana = await as(ANA);
  mesh.driver().hold();
  const { id } = await mesh.client.createSlice(request(), ana);
  await until(() => mesh.driver().isBusy(id), Boolean);
  const url = new Secret(mesh.env.DATABASE_URL);
  const knex = await openDatabase({ url, schema: 'onlooker', migrations: [], log: silentLog });
  try {
    await knex.raw(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
  } finally {
    await knex.destroy();
  }
  mesh.driver().release();
  await until(
    () => mesh.client.getSlice({ id }, ana).catch(() => undefined),
    (slice) => slice?.status === ACTIVE,
  );
  await mesh.client.deleteSlice({ id }, ana);
  assert.equal(statesOf(await untilDeleted(mesh, id)).at(-1), DELETED);
});
