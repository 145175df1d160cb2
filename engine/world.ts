// The cloud as it was last listed, and what this run made since: one list a kind, never a call per resource.

import { Failure, throwIfAborted } from '#common/errors.ts';
import { type Environment, retryDelayMs } from './environment.ts';
import { KINDS } from './graph.ts';
import { type Found, type Key, type KindName, keyOf, kindOf, type Look } from './kind.ts';

const NOTHING_AROUND: Look = { of: async () => [] };

export type World = {
  /** Lists the kinds once. Throws what the cloud answered. */
  look(kinds: readonly KindName[]): Promise<void>;
  /** Lists everything once, such that the next `lookAtAll` need not, unless something is done before. */
  lookWhole(): Promise<void>;
  /** A call that changes the cloud has ended: what was listed before says nothing of what it did. */
  touched(): void;
  /** Lists everything until it succeeds and shows all that this run made; gives up when the cloud is unreachable. */
  lookAtAll(): Promise<readonly Found[]>;
  /**
   * Whether there is nothing, by the list of the first of these kinds; what is known of the slice speaks for it already. If so,
   * `lookAtAll` lists these kinds only from now on.
   */
  seemsEmpty(wished: readonly KindName[]): Promise<boolean>;
  all(): readonly Found[];
  find(kind: KindName, cloudId: string): Found | undefined;
  named(key: Key): readonly Found[];
  /** What this run made, before any list shows it. */
  made(found: Found): void;
  /** Until then something may come to be that this run asked for and got no answer about. */
  doubt(untilMs: number): void;
  /** What this run removed, before lists stop showing it. */
  removed(found: Found): void;
};

export function createWorld(environment: Environment): World {
  const { kinds, clock, limits, scope, signal } = environment;
  const lists = new Map<KindName, readonly Found[]>();
  const recent = new Map<string, { found: Found; atMs: number }>();
  let listed: readonly KindName[] = KINDS;
  let isWhole = false;
  let doubtUntilMs = 0;

  async function look(wanted: readonly KindName[]): Promise<void> {
    const running = new Map<KindName, Promise<readonly Found[]>>();
    const lookAt = (name: KindName): Promise<readonly Found[]> => {
      const known = wanted.includes(name) ? undefined : lists.get(name);
      if (known) return Promise.resolve(known);
      const started = running.get(name) ?? kinds[name].list(around, { scope, signal });
      running.set(name, started);
      return started;
    };
    const around: Look = { of: lookAt };
    const results = await Promise.allSettled(wanted.map(lookAt));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    for (const [name, list] of running) {
      const found = await list;
      for (const { resource } of found) recent.delete(resource.cloudId);
      lists.set(name, [...found, ...lagging().filter(({ resource }) => kindOf(resource) === name)]);
    }
  }

  function all(): readonly Found[] {
    return KINDS.flatMap((kind) => lists.get(kind) ?? []);
  }

  /** Made by this run a moment ago and not listed yet: clouds with several API servers lag. */
  function lagging(): readonly Found[] {
    for (const [id, { atMs }] of recent) if (clock.now() - atMs > limits.lagMs) recent.delete(id);
    return [...recent.values()].map(({ found }) => found);
  }

  function isCertain(): boolean {
    return lagging().length === 0 && clock.now() >= doubtUntilMs;
  }

  async function lookAtAll(): Promise<readonly Found[]> {
    const isKnown = isWhole && isCertain();
    isWhole = false;
    if (isKnown) return all();
    const startMs = clock.now();
    for (let attempt = 0; ; attempt++) {
      throwIfAborted(signal);
      let failure: Failure | undefined;
      try {
        await look(listed);
        if (isCertain()) return all();
      } catch (error) {
        if (!(error instanceof Failure) || !error.retryable) throw error;
        if (clock.now() - startMs > limits.unreachableMs) throw error;
        failure = error;
      }
      await clock.wait(retryDelayMs(attempt, failure?.retryAfterS, environment), signal);
    }
  }

  return {
    look(wanted) {
      isWhole = false;
      return look(wanted);
    },
    async lookWhole() {
      await look(listed);
      isWhole = true;
    },
    touched() {
      isWhole = false;
    },
    lookAtAll,
    async seemsEmpty(wished) {
      const [first] = wished;
      if (!first || (await kinds[first].list(NOTHING_AROUND, { scope, signal })).length > 0) return false;
      listed = wished;
      for (const kind of KINDS) lists.set(kind, []);
      return true;
    },
    all,
    find: (kind, cloudId) => lists.get(kind)?.find(({ resource }) => resource.cloudId === cloudId),
    named: (key) => all().filter(({ resource }) => keyOf(resource) === key),
    made(found) {
      const kind = kindOf(found.resource);
      lists.set(kind, [...(lists.get(kind) ?? []), found]);
      recent.set(found.resource.cloudId, { found, atMs: clock.now() });
    },
    doubt(untilMs) {
      doubtUntilMs = Math.max(doubtUntilMs, untilMs);
    },
    removed(found) {
      const kind = kindOf(found.resource);
      const rest = (lists.get(kind) ?? []).filter((one) => one.resource.cloudId !== found.resource.cloudId);
      lists.set(kind, rest);
      recent.delete(found.resource.cloudId);
    },
  };
}
