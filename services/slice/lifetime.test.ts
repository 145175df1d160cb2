import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import { RenewSliceRequest } from '#proto/pucp/slice/v1/slice_service.ts';
import {
  dueOf,
  type LifetimeRules,
  lifetimeOf,
  nextReminder,
  reminderOf,
  renewalOf,
  reschedulingOf,
} from './lifetime.ts';
import type { SliceRow } from './rows.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const limits = { maxDays: 30, defaultDays: 0, maxRenewals: 2, reminderHours: [24, 1] };
const student: LifetimeRules = { now: NOW, role: 'student', limits };
const admin: LifetimeRules = { ...student, role: 'admin' };

test('a slice that says nothing of time has no end, unless one is configured', () => {
  assert.deepEqual(lifetimeOf({ deploy: true }, student), { startAt: null, expiresAt: null, remindAt: null });
  const usual = { ...student, limits: { ...limits, defaultDays: 2 } };
  assert.deepEqual(lifetimeOf({ deploy: true }, usual).expiresAt, new Date(NOW + 2 * DAY));
  const later = lifetimeOf({ deploy: true, startAt: at(DAY) }, usual);
  assert.deepEqual(later.expiresAt, new Date(NOW + 3 * DAY), 'it counts from the start');
});

test('every mistake in the times of a new slice is told at once', () => {
  assert.deepEqual(fieldsOf({ startAt: at(-1), expiresAt: at(0) }), ['start_at', 'expires_at']);
  assert.deepEqual(fieldsOf({ startAt: at(2 * HOUR), expiresAt: at(HOUR) }), ['expires_at']);
  assert.deepEqual(fieldsOf({ startAt: at(31 * DAY), expiresAt: at(32 * DAY) }), ['start_at', 'expires_at']);
  assert.deepEqual(fieldsOf({ startAt: at(HOUR), deploy: false }), ['start_at']);
});

test('an admin, and everyone where there is no limit, may look further ahead', () => {
  const asked = { deploy: true, expiresAt: at(400 * DAY) };
  assert.deepEqual(lifetimeOf(asked, admin).expiresAt, new Date(NOW + 400 * DAY));
  const unlimited = { ...student, limits: { ...limits, maxDays: 0 } };
  assert.deepEqual(lifetimeOf(asked, unlimited).expiresAt, new Date(NOW + 400 * DAY));
});

test('the next reminder is the one that has not passed yet', () => {
  const of = (ms: number) => nextReminder(new Date(NOW + ms), student)?.getTime();
  assert.equal(of(3 * DAY), NOW + 2 * DAY);
  assert.equal(of(5 * HOUR), NOW + 4 * HOUR);
  assert.equal(of(HOUR), undefined);
  assert.equal(nextReminder(null, student), null);
});

test('a reminder says how long there is left', () => {
  assert.match(reminderOf(new Date(NOW + DAY), NOW), /in 24 hours, at 2026-03-02T12:00:00.000Z: renew it/);
  assert.match(reminderOf(new Date(NOW + HOUR - 1000), NOW), /in 60 minutes,/);
  assert.match(reminderOf(new Date(NOW + 1000), NOW), /in 1 minute,/);
});

test('an owner puts the end off as often and as far as is allowed, from now on', () => {
  const first = renew({ expires_at: new Date(NOW + DAY) }, { hours: 72 });
  assert.deepEqual(first?.expires_at, new Date(NOW + 3 * DAY));
  assert.deepEqual(first?.remind_at, new Date(NOW + 2 * DAY));
  assert.equal(first?.renewals, 1);
  const spent = { expires_at: new Date(NOW + DAY), renewals: 2 };
  assert.throws(() => renew(spent, { hours: 72 }), {
    code: 'RESOURCE_EXHAUSTED',
    reason: 'TOO_MANY_RENEWALS',
  });
  assert.throws(() => renew({}, { hours: 31 * 24 }), { code: 'INVALID_ARGUMENT' });
  assert.equal(renew(spent, { hours: 72 }, admin)?.renewals, 2, 'an admin is not counted');
});

test('bringing the end nearer is no renewal, and hours never do it', () => {
  const row = { expires_at: new Date(NOW + 3 * DAY), renewals: 2 };
  assert.deepEqual(renew(row, { expiresAt: at(DAY) })?.expires_at, new Date(NOW + DAY));
  assert.equal(renew(row, { hours: 5 }), undefined);
  assert.equal(renew({ expires_at: null }, { hours: 5 }), undefined, 'no end is later than any');
  assert.deepEqual(renew({ expires_at: null }, { expiresAt: at(DAY) })?.expires_at, new Date(NOW + DAY));
});

test('only an admin frees a slice of its end', () => {
  const row = { expires_at: new Date(NOW + DAY) };
  assert.throws(() => renew(row, { exempt: true }), { code: 'PERMISSION_DENIED' });
  const freed = renew(row, { exempt: true }, admin);
  assert.deepEqual([freed?.expires_at, freed?.remind_at], [null, null]);
});

test('a renewal says one thing and says it right', () => {
  const row = { expires_at: new Date(NOW + DAY) };
  for (const asked of [
    {},
    { hours: 5, exempt: true },
    { hours: -1 },
    { expiresAt: at(-HOUR) },
    { hours: 1_000_000 },
  ]) {
    assert.throws(() => renew(row, asked), { code: 'INVALID_ARGUMENT' }, JSON.stringify(asked));
  }
  const scheduled = { status: SliceState.SCHEDULED, start_at: new Date(NOW + DAY) };
  assert.throws(() => renew(scheduled, { expiresAt: at(HOUR) }), { code: 'INVALID_ARGUMENT' });
  assert.throws(() => renew({ status: SliceState.DELETING }, { hours: 5 }), { code: 'FAILED_PRECONDITION' });
});

test('what has come to its end is not deployed any more, and what is being deleted is left alone', () => {
  const past = new Date(NOW - 1);
  const scheduled = rowOf({ status: SliceState.SCHEDULED, start_at: past });
  assert.equal(dueOf(scheduled, NOW), 'start');
  assert.equal(dueOf({ ...scheduled, expires_at: past }, NOW), 'end');
  assert.equal(dueOf({ ...scheduled, status: SliceState.ACTIVE, remind_at: past }, NOW), 'reminder');
  assert.equal(dueOf({ ...scheduled, status: SliceState.ACTIVE }, NOW), undefined);
  assert.equal(dueOf(rowOf({ goal: 'deleted', expires_at: past }), NOW), undefined);
});

test('a new spec may bring other times for what was not deployed yet', () => {
  const reschedule = (row: Partial<SliceRow>, asked: Parameters<typeof reschedulingOf>[1]) =>
    reschedulingOf(rowOf(row), asked, student)?.columns;
  const draft = { status: SliceState.DRAFT, expires_at: new Date(NOW + 3 * DAY) };
  const start = new Date(NOW + DAY);
  assert.equal(reschedule(draft, {}), undefined);
  assert.deepEqual(reschedule(draft, { startAt: at(DAY) }), {
    status: SliceState.SCHEDULED,
    start_at: start,
  });
  const both = reschedule(draft, { startAt: at(DAY), expiresAt: at(2 * DAY) });
  assert.deepEqual([both?.start_at, both?.expires_at], [start, new Date(NOW + 2 * DAY)]);
  assert.throws(() => reschedule(draft, { startAt: at(4 * DAY) }), { code: 'INVALID_ARGUMENT' });
  assert.throws(() => reschedule({}, { startAt: at(DAY) }), { reason: 'SLICE_STARTED' });
  assert.equal(reschedule({ start_at: start }, { startAt: at(DAY) }), undefined, 'as it was');
  assert.equal(reschedule({ expires_at: start }, { expiresAt: at(2 * DAY) })?.renewals, 1);
});

function renew(
  row: Partial<SliceRow>,
  asked: Parameters<typeof RenewSliceRequest.fromPartial>[0],
  rules = student,
) {
  return renewalOf(rowOf(row), RenewSliceRequest.fromPartial(asked), rules)?.columns;
}

function fieldsOf({
  deploy = true,
  ...asked
}: {
  startAt?: string;
  expiresAt?: string;
  deploy?: boolean;
}): string[] {
  try {
    lifetimeOf({ ...asked, deploy }, student);
  } catch (error) {
    assert.ok(error instanceof Failure);
    return error.violations.map(({ field }) => field);
  }
  return [];
}

function at(ms: number): string {
  return new Date(NOW + ms).toISOString();
}

function rowOf(fields: Partial<SliceRow>): SliceRow {
  const row = { name: 'lab', status: SliceState.ACTIVE, goal: 'running', renewals: 0 } as SliceRow;
  const times = { start_at: null, expires_at: null, remind_at: null, deleted_at: null };
  return { ...row, ...times, ...fields };
}
