// The last room of a project is given away once: on several replicas, for several users, at any moment of the work.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '#common/errors.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import {
  ADMIN,
  ANA,
  as,
  BOB,
  type Mesh,
  request,
  startMesh,
  untilDeleted,
  untilState,
} from './testing/harness.ts';

/** A slice of so many servers on one network. */
function slice(name: string, servers: number) {
  const nodes = Array.from({ length: servers }, (_, index) => ({
    name: `vm${index}`,
    image: 'ubuntu-20.04',
    flavor: 'small',
  }));
  return request({ name, nodes });
}

/** The ids of those that were let in; the others were refused for want of room, and for nothing else. */
async function admitted(creations: readonly Promise<{ readonly id: string }>[]): Promise<string[]> {
  const results = await Promise.allSettled(creations);
  return results.flatMap((result) => {
    if (result.status === 'fulfilled') return [result.value.id];
    assert(result.reason instanceof Failure, String(result.reason));
    assert.equal(result.reason.reason, 'QUOTA_EXCEEDED', result.reason.message);
    return [];
  });
}

async function remove(mesh: Mesh, id: string): Promise<void> {
  await mesh.client.deleteSlice({ id }, await as(ADMIN));
  await untilDeleted(mesh, id);
}

test('two slices at once do not both take the last room, whoever asks and whichever replica answers', async () => {
  await using mesh = await startMesh();
  const other = await mesh.replica();
  mesh.driver().limit('instances', 1);
  mesh.driver().hold();
  const [ana, bob] = [await as(ANA), await as(BOB)];
  const ids = await admitted([
    mesh.client.createSlice(slice('one', 1), ana),
    other.client.createSlice(slice('two', 1), bob),
    other.client.createSlice(slice('three', 1), ana),
  ]);
  assert.equal(ids.length, 1);
  const error = await mesh.client.createSlice(slice('four', 1), bob).catch((caught: unknown) => caught);
  assert(error instanceof Failure);
  assert.match(error.message, /instances: 1 needed, 0 of 1 used and 1 promised to other slices/);
  mesh.driver().release();
  const [id = ''] = ids;
  await untilState(mesh, id, SliceState.ACTIVE);
  assert.deepEqual(await admitted([mesh.client.createSlice(slice('five', 1), bob)]), []);
  await remove(mesh, id);
  assert.equal((await admitted([mesh.client.createSlice(slice('six', 1), bob)])).length, 1);
});

test('a plan tells what other slices were promised', async () => {
  await using mesh = await startMesh();
  mesh.driver().hold();
  const ana = await as(ANA);
  const { id } = await mesh.client.createSlice(slice('held', 2), ana);
  const draft = await mesh.client.createSlice({ ...slice('draft', 1), deploy: false }, ana);
  const reservedIn = async (which: string) => {
    const { quotas } = await mesh.client.planSlice({ id: which }, ana);
    return quotas.find(({ name }) => name === 'instances')?.reserved;
  };
  assert.equal(await reservedIn(draft.id), 2);
  assert.equal(await reservedIn(id), 0, 'what a slice was promised itself is not in its way');
  mesh.driver().release();
  await untilState(mesh, id, SliceState.ACTIVE);
  assert.equal(await reservedIn(draft.id), 0);
});

test('however slices come and go, what is let in fits, and what is given back can be taken again', async () => {
  const LIMIT = 5;
  await using mesh = await startMesh({ env: { MAX_SLICES_PER_USER: '1000', MAX_VCPUS_PER_USER: '1000' } });
  const replicas = [mesh.client, (await mesh.replica()).client];
  mesh.driver().limit('instances', LIMIT);
  const users = [await as(ANA), await as(BOB)];
  let count = 0;
  const wave = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 2, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(fc.array(wave, { minLength: 1, maxLength: 3 }), async (waves) => {
      const living = new Map<string, number>();
      for (const sizes of waves) {
        const made = sizes.map(async (size) => {
          count += 1;
          const options = users[count % 2];
          const client = replicas[count % replicas.length] ?? mesh.client;
          const { id } = await client.createSlice(slice(`lab-${count}`, size), options);
          living.set(id, size);
          return { id };
        });
        await admitted(made);
        const taken = [...living.values()].reduce((sum, size) => sum + size, 0);
        assert.ok(taken <= LIMIT, `${taken} of ${LIMIT} were given away`);
        for (const id of living.keys()) await untilState(mesh, id, SliceState.ACTIVE);
        const [first] = living.keys();
        if (first !== undefined) {
          await remove(mesh, first);
          living.delete(first);
        }
      }
      const left = LIMIT - [...living.values()].reduce((sum, size) => sum + size, 0);
      if (left > 0) {
        count += 1;
        const [id] = await admitted([mesh.client.createSlice(slice(`last-${count}`, left), users[0])]);
        assert.ok(id, 'what is free is given to whoever asks for just that');
        living.set(id, left);
      }
      for (const id of living.keys()) await remove(mesh, id);
    }),
    { numRuns: 4 },
  );
});
