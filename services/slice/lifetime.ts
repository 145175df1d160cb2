// From when to when a slice is to live: what may be asked for, when its owner is reminded, and what is due. Pure; the
// clock that acts on it is lifetime-timer.ts.

import type { Caller } from '#common/caller.ts';
import { Failure, type FieldViolation, invalid } from '#common/errors.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import type { RenewSliceRequest } from '#proto/pucp/slice/v1/slice_service.ts';
import { refuseDeleting } from './intents.ts';
import type { SliceRow } from './rows.ts';

export type LifetimeLimits = {
  /** How far ahead a slice's start and end may lie; 0 is no limit. */
  readonly maxDays: number;
  /** The life of a slice that names no end; 0 is no end. */
  readonly defaultDays: number;
  /** How often an owner may put the end off; 0 is no limit. */
  readonly maxRenewals: number;
  /** How long before the end there are reminders. */
  readonly reminderHours: readonly number[];
};

/** The clock, who asks, and what is allowed. */
export type LifetimeRules = {
  readonly now: number;
  readonly role: Caller['role'];
  readonly limits: LifetimeLimits;
};

export type Lifetime = {
  readonly startAt: Date | null;
  readonly expiresAt: Date | null;
  readonly remindAt: Date | null;
};

/** What other times change of a slice, and the sentence that says so. */
export type Renewal = {
  readonly columns: Partial<Pick<SliceRow, 'status' | 'start_at' | 'expires_at' | 'remind_at' | 'renewals'>>;
  readonly message: string;
};

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A hundred years: far from what a calendar cannot write. */
const MOST_HOURS = 876_000;

/** The life of a new slice. Throws INVALID_ARGUMENT with every mistake. */
export function lifetimeOf(
  asked: {
    readonly startAt?: string | undefined;
    readonly expiresAt?: string | undefined;
    readonly deploy: boolean;
  },
  rules: LifetimeRules,
): Lifetime {
  const startAt = dateOf(asked.startAt);
  const expiresAt = dateOf(asked.expiresAt);
  const mistakes: FieldViolation[] = [
    ...(startAt ? timeMistakes('start_at', startAt, rules) : []),
    ...(expiresAt ? timeMistakes('expires_at', expiresAt, rules) : []),
  ];
  if (startAt && !asked.deploy) {
    const message = 'says when to deploy, but deploy is false; leave one of them out';
    mistakes.push({ field: 'start_at', message });
  }
  if (startAt && expiresAt && expiresAt <= startAt) {
    mistakes.push({ field: 'expires_at', message: 'must be after start_at' });
  }
  if (mistakes.length > 0) throw invalid(mistakes);
  const { defaultDays } = rules.limits;
  const usual = defaultDays > 0 ? new Date((startAt?.getTime() ?? rules.now) + defaultDays * DAY_MS) : null;
  const end = expiresAt ?? usual;
  return { startAt, expiresAt: end, remindAt: nextReminder(end, rules) };
}

/**
 * What a renewal changes; undefined if it changes nothing. Throws INVALID_ARGUMENT, PERMISSION_DENIED, or
 * RESOURCE_EXHAUSTED with reason TOO_MANY_RENEWALS.
 */
export function renewalOf(
  row: SliceRow,
  request: RenewSliceRequest,
  rules: LifetimeRules,
): Renewal | undefined {
  refuseDeleting(row, 'renew');
  const isAdmin = rules.role === 'admin';
  const end = endOf(row, request, rules);
  if (end?.getTime() === row.expires_at?.getTime()) return undefined;
  if (!end)
    return { columns: { expires_at: null, remind_at: null }, message: 'The slice has no end any more' };
  const isLater = row.expires_at !== null && end > row.expires_at;
  const { maxRenewals } = rules.limits;
  const isCounted = isLater && !isAdmin;
  if (isCounted && maxRenewals > 0 && row.renewals >= maxRenewals) throw tooOften(row, maxRenewals);
  const renewals = isCounted ? row.renewals + 1 : row.renewals;
  return {
    columns: { expires_at: end, remind_at: nextReminder(end, rules), renewals },
    message: `The slice lives until ${end.toISOString()}`,
  };
}

/**
 * What the times in a slice's new spec change, each as it is if absent; undefined if nothing. Throws as `renewalOf`, and
 * FAILED_PRECONDITION on another start for a slice that was deployed.
 */
export function reschedulingOf(
  row: SliceRow,
  asked: { readonly startAt?: string | undefined; readonly expiresAt?: string | undefined },
  rules: LifetimeRules,
): Renewal | undefined {
  const renew = (current: SliceRow) =>
    asked.expiresAt === undefined
      ? undefined
      : renewalOf(current, { id: row.id, expiresAt: asked.expiresAt, hours: 0, exempt: false }, rules);
  const startAt = dateOf(asked.startAt);
  if (!startAt || startAt.getTime() === row.start_at?.getTime()) return renew(row);
  refuseStarted(row);
  const scheduled = { status: SliceState.SCHEDULED, start_at: startAt };
  const renewal = renew({ ...row, ...scheduled });
  const mistakes = timeMistakes('start_at', startAt, rules);
  const end = renewal ? renewal.columns.expires_at : row.expires_at;
  if (end && end <= startAt) {
    mistakes.push({ field: 'start_at', message: `must be before its end at ${end.toISOString()}` });
  }
  if (mistakes.length > 0) throw invalid(mistakes);
  const message = `The slice will be deployed at ${startAt.toISOString()}`;
  return { columns: { ...renewal?.columns, ...scheduled }, message };
}

function endOf(
  row: SliceRow,
  { expiresAt, hours, exempt }: RenewSliceRequest,
  rules: LifetimeRules,
): Date | null {
  const asked = dateOf(expiresAt);
  if ([asked !== null, hours !== 0, exempt].filter(Boolean).length !== 1) {
    throw invalid([{ field: 'expires_at', message: 'give exactly one of expires_at, hours and exempt' }]);
  }
  if (exempt) {
    if (rules.role === 'admin') return null;
    const message = 'Only an admin frees a slice of its end; renew it with expires_at or hours';
    throw new Failure({ code: 'PERMISSION_DENIED', reason: 'ADMIN_ONLY', message });
  }
  const field = asked ? 'expires_at' : 'hours';
  if (hours < 0 || hours > MOST_HOURS) throw invalid([{ field, message: `must be 1 to ${MOST_HOURS}` }]);
  const end = asked ?? new Date(rules.now + hours * HOUR_MS);
  const mistakes = timeMistakes(field, end, rules);
  if (row.status === SliceState.SCHEDULED && row.start_at && end <= row.start_at) {
    mistakes.push({ field, message: `must be after its start at ${row.start_at.toISOString()}` });
  }
  if (mistakes.length > 0) throw invalid(mistakes);
  const isSooner = row.expires_at !== null && end < row.expires_at;
  return !asked && (isSooner || row.expires_at === null) ? row.expires_at : end;
}

/** The next reminder of an end, null if there is none. Those that have passed are not made up for. */
export function nextReminder(
  end: Date | null,
  { now, limits }: Pick<LifetimeRules, 'now' | 'limits'>,
): Date | null {
  if (!end) return null;
  const times = limits.reminderHours
    .map((hours) => end.getTime() - hours * HOUR_MS)
    .filter((time) => time > now);
  return times.length > 0 ? new Date(Math.min(...times)) : null;
}

/** What a slice's life asks for now. What has come to its end is not deployed any more. */
export function dueOf(row: SliceRow, now: number): 'end' | 'start' | 'reminder' | undefined {
  if (row.deleted_at !== null || row.goal === 'deleted') return undefined;
  const isPast = (time: Date | null) => time !== null && time.getTime() <= now;
  if (isPast(row.expires_at)) return 'end';
  if (row.status === SliceState.SCHEDULED && isPast(row.start_at)) return 'start';
  return isPast(row.remind_at) ? 'reminder' : undefined;
}

/** Such as `The slice will be deleted in 23 hours, at 2026-…: renew it to keep it`. */
export function reminderOf(end: Date, now: number): string {
  const minutes = Math.max(1, Math.round((end.getTime() - now) / 60_000));
  const count = minutes < 120 ? minutes : Math.round(minutes / 60);
  const unit = `${minutes < 120 ? 'minute' : 'hour'}${count === 1 ? '' : 's'}`;
  return `The slice will be deleted in ${count} ${unit}, at ${end.toISOString()}: renew it to keep it`;
}

function timeMistakes(
  field: string,
  time: Date,
  { now, role, limits: { maxDays } }: LifetimeRules,
): FieldViolation[] {
  if (time.getTime() <= now) return [{ field, message: 'must be in the future' }];
  if (role === 'admin' || maxDays === 0 || time.getTime() <= now + maxDays * DAY_MS) return [];
  const latest = new Date(now + maxDays * DAY_MS).toISOString();
  return [{ field, message: `must be at most ${maxDays} days ahead, which is ${latest}` }];
}

function dateOf(text: string | undefined): Date | null {
  return text === undefined ? null : new Date(text);
}

function refuseStarted({ name, status }: SliceRow): void {
  if (status === SliceState.DRAFT || status === SliceState.SCHEDULED) return;
  throw new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'SLICE_STARTED',
    message: `Cannot set another start for the slice "${name}": it was deployed already; leave start_at out`,
  });
}

function tooOften(row: SliceRow, maxRenewals: number): Failure {
  return new Failure({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'TOO_MANY_RENEWALS',
    message: `Cannot renew the slice "${row.name}": it was renewed ${row.renewals} times and ${maxRenewals} are allowed; ask an admin`,
    metadata: { slice_id: row.id, renewals: String(row.renewals), limit: String(maxRenewals) },
  });
}
