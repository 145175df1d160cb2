// The journal in a real database, behind the engine's own runs.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Secret } from '#common/config.ts';
import { type Knex, openDatabase } from '#common/database.ts';
import { Failure } from '#common/errors.ts';
import { silentLog } from '#common/log.ts';
import type { Entry } from '#engine/journal.ts';
import { StepPhase } from '#proto/pucp/slice/v1/history.ts';
import { testDatabaseUrl } from '../../tests/support/database.ts';
import { createJournal, type JournalOptions } from './journal.ts';
import { createJournalStore, type JournalStore, type Run } from './journal-store.ts';
import { migrations } from './migrations/all.ts';

let knex: Knex;
let store: JournalStore;
before(async () => {
  const url = new Secret(await testDatabaseUrl());
  knex = await openDatabase({ url, schema: 'openstack', migrations, log: silentLog });
  store = createJournalStore(knex, { days: 30, perSlice: 6 });
});
after(() => knex?.destroy());

const ALL = { limit: 100, from: undefined, newestFirst: false };
const newRun = (): Run => ({
  userId: 'ana',
  sliceId: randomUUID(),
  runId: randomUUID(),
  fence: 3,
  requestId: 'request-1',
});
const entry = (run: Run, step: string, phase: Entry['phase'] = 'begin'): Entry => ({
  sliceId: run.sliceId,
  step,
  phase,
  cloudId: phase === 'done' ? 'id-1' : '',
  detail: phase === 'begin' ? 'missing' : '',
});
const journalOf = (run: Run, options: Partial<JournalOptions> = {}) =>
  createJournal({
    run,
    store,
    log: silentLog,
    admit: async () => {},
    signal: new AbortController().signal,
    giveUp: () => {},
    ...options,
  });
const away = () => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
/** A database that is away for some calls. */
const flaky = (times: number) => {
  let calls = 0;
  return {
    calls: () => calls,
    append: async (...args: Parameters<JournalStore['append']>) => {
      calls += 1;
      if (calls <= times) throw away();
      await store.append(...args);
    },
  };
};

test('a step is in the journal with its run, its fence and its request, begun before it is done', async () => {
  const run = newRun();
  const journal = journalOf(run);
  await journal.record([entry(run, 'create network/a'), entry(run, 'create network/b')]);
  await journal.record([entry(run, 'create network/a', 'done'), entry(run, 'create network/b', 'failed')]);
  const lines = await store.list(run, ALL);
  assert.deepEqual(
    lines.map(({ step, phase }) => [step, phase]),
    [
      ['create network/a', StepPhase.BEGIN],
      ['create network/b', StepPhase.BEGIN],
      ['create network/a', StepPhase.DONE],
      ['create network/b', StepPhase.FAILED],
    ],
  );
  const [first] = lines;
  assert.deepEqual([first?.runId, first?.fence, first?.requestId], [run.runId, 3, 'request-1']);
  assert.equal(first?.detail, 'missing');
  assert.equal(lines[2]?.cloudId, 'id-1');
  assert.deepEqual(await store.list({ ...run, userId: 'bob' }, ALL), [], 'the same id of another user');
});

test('a batch of a thousand lines is one insert', async () => {
  const run = newRun();
  let inserts = 0;
  const count = ({ sql }: { sql: string }) => {
    if (sql.startsWith('insert')) inserts += 1;
  };
  knex.on('query', count);
  await journalOf(run).record(Array.from({ length: 1000 }, (_, index) => entry(run, `create port/${index}`)));
  knex.off('query', count);
  assert.equal(inserts, 1);
  assert.equal((await store.list(run, { ...ALL, limit: 2000 })).length, 1000);
});

test('pages of the journal join without gaps, oldest or newest first', async () => {
  const run = newRun();
  await journalOf(run).record(['a', 'b', 'c', 'd', 'e'].map((name) => entry(run, `create network/${name}`)));
  for (const newestFirst of [false, true]) {
    const seen: string[] = [];
    for (let from: string | undefined; ; ) {
      const page = await store.list(run, { limit: 2, from, newestFirst });
      seen.push(...page.map(({ step }) => step.slice(-1)));
      from = page.at(-1)?.id;
      if (page.length < 2) break;
    }
    assert.equal(seen.join(''), newestFirst ? 'edcba' : 'abcde');
  }
});

test('a database that is briefly away is waited for, and nothing is written twice', async () => {
  const run = newRun();
  const journal = journalOf(run, { store: flaky(2) });
  await journal.record([entry(run, 'create network/a')]);
  // The answer of a write that took effect was lost: it is written once more.
  await store.append(run, [entry(run, 'create network/a')], 0);
  assert.equal((await store.list(run, ALL)).length, 1);
});

test('what cannot be written does not begin: the run ends and may be taken up again', async () => {
  const run = newRun();
  const ended: Failure[] = [];
  const journal = journalOf(run, {
    store: flaky(Number.POSITIVE_INFINITY),
    patienceMs: 0,
    giveUp: (failure) => ended.push(failure),
  });
  await assert.rejects(journal.record([entry(run, 'create network/a')]), { reason: 'DATABASE_UNREACHABLE' });
  assert.equal(ended[0]?.retryable, true);
});

test('a worker that lost the slice begins nothing, and one that is called off stops waiting', async () => {
  const run = newRun();
  const fenced = new Failure({ code: 'ABORTED', reason: 'FENCED', message: 'taken over' });
  const refused = journalOf(run, { admit: () => Promise.reject(fenced) });
  await assert.rejects(refused.record([entry(run, 'create network/a')]), fenced);
  assert.deepEqual(await store.list(run, ALL), []);

  const off = new AbortController();
  const broken = flaky(Number.POSITIVE_INFINITY);
  const journal = journalOf(run, { store: broken, signal: off.signal });
  const begins = journal.record([entry(run, 'create network/a')]);
  const ends = journal.record([entry(run, 'create network/b', 'done')]);
  off.abort();
  await assert.rejects(begins, { code: 'CANCELLED' });
  await ends;
});

test('of a slice that lives the newest lines stay; of one that is gone all, for as long as configured', async () => {
  const [living, gone] = [newRun(), newRun()];
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  for (const run of [living, gone]) {
    await journalOf(run).record(names.map((name) => entry(run, `create network/${name}`)));
  }
  await store.trim(living);
  assert.deepEqual(
    (await store.list(living, ALL)).map(({ step }) => step.slice(-1)),
    names.slice(-6),
  );
  await store.close(gone);
  assert.equal(await store.sweep(), 0, 'not yet');
  await knex('journal')
    .where({ slice_id: gone.sliceId })
    .update({ gone_at: new Date(Date.now() - 31 * 86_400_000) });
  assert.equal(await store.sweep(), names.length);
  assert.deepEqual(await store.list(gone, ALL), []);
  assert.equal((await store.list(living, ALL)).length, 6);
});
