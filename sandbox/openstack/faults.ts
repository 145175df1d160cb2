// Deliberate misbehaviour, for testing clients: a rule matches requests by service, method and path, and says what
// goes wrong and how often. Steered over REST under /_sandbox/faults.

import { Fault, isObject, type Json } from './http.ts';

export const EFFECTS = [
  'error-before',
  'error-after',
  'delay',
  'delay-after',
  'drop-after',
  '429',
  'hang',
  'reset',
  'garbage',
  'stale-list',
  'token-revoked',
  'server-error',
] as const;
export type Effect = (typeof EFFECTS)[number];

export type Rule = {
  readonly id: number;
  readonly match: { readonly service?: string; readonly method?: string; readonly path?: string };
  readonly effect: Effect;
  readonly status: number;
  readonly delay_ms: number;
  /** Seconds of the header Retry-After; null sends none. */
  readonly retry_after: number | null;
  /** How many calls that match are let through first. */
  readonly skip: number;
  /** How often it strikes from now on; null is for ever. */
  readonly times: number | null;
  readonly hits: number;
};

/** What some effects make sense for, unless the rule says otherwise. */
const USUAL_MATCHES: Partial<Record<Effect, Json>> = {
  'stale-list': { method: 'GET' },
  'server-error': { service: 'compute', method: 'POST', path: '/servers$' },
};
const MAX_RULES = 100;
const MAX_PATTERN_LENGTH = 200;
const MAX_DELAY_MS = 600_000;

export type FaultLayer = {
  /** Adds a rule; throws a 400 Fault that says what is wrong with it. */
  add(body: Json): Rule;
  list(): Rule[];
  remove(id?: number): void;
  /** The first rule that matches and has let enough calls through, counted as one strike. */
  strike(request: { service: string; method: string; path: string }): Rule | undefined;
};

export function createFaultLayer(): FaultLayer {
  let rules: { rule: Rule; pattern: RegExp | undefined }[] = [];
  let nextId = 1;
  return {
    add: (body) => {
      // Rules that will strike no more are kept to be looked at, until their room is needed.
      if (rules.length >= MAX_RULES) rules = rules.filter(({ rule }) => rule.times !== 0);
      if (rules.length >= MAX_RULES) throw new Fault(400, `at most ${MAX_RULES} faults at a time`);
      const entry = parseRule(body, nextId);
      nextId += 1;
      rules.push(entry);
      return entry.rule;
    },
    list: () => rules.map(({ rule }) => rule),
    remove: (id) => {
      rules = id === undefined ? [] : rules.filter(({ rule }) => rule.id !== id);
    },
    strike: ({ service, method, path }) => {
      for (const entry of rules) {
        const { rule, pattern } = entry;
        const isMeant =
          rule.times !== 0 &&
          (rule.match.service ?? service) === service &&
          (rule.match.method ?? method) === method &&
          (pattern?.test(path) ?? true);
        if (!isMeant) continue;
        if (rule.skip > 0) {
          entry.rule = { ...rule, skip: rule.skip - 1 };
          continue;
        }
        entry.rule = { ...rule, hits: rule.hits + 1, times: rule.times === null ? null : rule.times - 1 };
        return rule;
      }
      return undefined;
    },
  };
}

function parseRule(body: Json, id: number): { rule: Rule; pattern: RegExp | undefined } {
  const known = ['match', 'effect', 'status', 'delay_ms', 'retry_after', 'skip', 'times'];
  const unknown = Object.keys(body).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new Fault(400, `unknown field ${unknown}; known are ${known.join(', ')}`);
  const effect = EFFECTS.find((name) => name === String(body.effect));
  if (!effect) throw new Fault(400, `effect must be one of ${EFFECTS.join(', ')}`);
  const match: Json = { ...USUAL_MATCHES[effect], ...(isObject(body.match) ? body.match : {}) };
  const path = text(match.path);
  if (path && path.length > MAX_PATTERN_LENGTH) throw new Fault(400, 'match.path is too long');
  let pattern: RegExp | undefined;
  try {
    pattern = path === undefined ? undefined : new RegExp(path);
  } catch {
    throw new Fault(400, 'match.path is not a regular expression');
  }
  const status = wholeNumber(body.status, effect === '429' ? 429 : 503, 'status', 400, 599);
  const delay = wholeNumber(
    body.delay_ms,
    effect.startsWith('delay') ? 1000 : 0,
    'delay_ms',
    0,
    MAX_DELAY_MS,
  );
  const asksToWait = body.retry_after === undefined ? effect === '429' : body.retry_after !== null;
  const retryAfter = asksToWait ? wholeNumber(body.retry_after, 1, 'retry_after', 0, 3600) : null;
  const skip = wholeNumber(body.skip, 0, 'skip', 0, 1_000_000);
  const times = body.times === null ? null : wholeNumber(body.times, 1, 'times', 1, 1_000_000);
  const method = text(match.method)?.toUpperCase();
  return {
    rule: {
      id,
      match: { service: text(match.service), method, path },
      effect,
      status,
      delay_ms: delay,
      retry_after: retryAfter,
      skip,
      times,
      hits: 0,
    },
    pattern,
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function wholeNumber(value: unknown, fallback: number, name: string, least: number, most: number): number {
  const number = value === undefined ? fallback : value;
  if (typeof number === 'number' && Number.isInteger(number) && number >= least && number <= most)
    return number;
  throw new Fault(400, `${name} must be a whole number from ${least} to ${most}`);
}
