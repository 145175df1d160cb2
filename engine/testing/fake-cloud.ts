// A cloud in memory with all kinds, for the engine's laws. It holds its users to its rules (no reference to what is not
// there, no removal of what is used), works with a delay, and fails on demand.

import { Failure } from '#common/errors.ts';
import { type Resource, Resource as ResourceMessage } from '#proto/pucp/driver/v1/resource.ts';
import type { Clock } from '../environment.ts';
import { dependenciesOf, KINDS } from '../graph.ts';
import {
  type Creation,
  EQUAL,
  type Found,
  type Kind,
  type KindName,
  type Kinds,
  kindOf,
  READY,
  type Refs,
  type Stir,
} from '../kind.ts';

/** What becomes of a call that changes the cloud. */
export type Fault =
  | 'none'
  /** Refused, but may work later. */
  | 'before'
  /** Done, but the answer is lost. */
  | 'after'
  /** Refused for good. */
  | 'terminal'
  /** Accepted, but what was made breaks later. */
  | 'breaks'
  /** The answer is lost at once, and the effect comes a while later. */
  | 'late';

export type Call = {
  /** `stir` is the question that is cheaper than a list. */
  readonly verb: 'create' | 'update' | 'delete' | 'list' | 'stir';
  readonly kind: KindName;
  /** Names, or nothing for a list. */
  readonly names: readonly string[];
  readonly startMs: number;
  endMs: number;
};

const BULK: readonly KindName[] = ['network', 'subnet', 'port', 'securityGroup', 'securityRule'];
const CHANGEABLE: readonly KindName[] = ['server', 'port', 'volume', 'floatingIp', 'securityGroup'];
const RULES: Partial<Record<KindName, Pick<Kind, 'rebinds' | 'survives' | 'goesWith'>>> = {
  server: { rebinds: ['port', 'volume'] },
  port: { rebinds: ['securityGroup'] },
  floatingIp: { rebinds: ['routerInterface'], survives: ['port'] },
  securityRule: { rebinds: [], goesWith: ['securityGroup'] },
};

type Stored = {
  found: Found & { readonly uses: string[] };
  readonly readyMs: number;
  readonly breaks: boolean;
  goneMs: number | undefined;
};

export type FakeCloud = {
  readonly kinds: Kinds;
  readonly calls: readonly Call[];
  /** What a user would see who lists everything. */
  world(): readonly Found[];
  /** Puts something in beside the engine. */
  plant(found: Found): void;
  /** Takes something out beside the engine. */
  vanish(cloudId: string): void;
};

export type FakeCloudOptions = {
  readonly clock: Clock;
  /** Asked once for every call. */
  readonly fault?: (call: Call) => Fault;
  readonly callMs?: number;
  readonly buildMs?: number;
  /** For how long lists do not show what was made. */
  readonly lagMs?: number;
};

export function createFakeCloud(options: FakeCloudOptions): FakeCloud {
  const { clock, fault = () => 'none', callMs = 20, buildMs = 2_000, lagMs = 0 } = options;
  const never = new AbortController().signal;
  const calls: Call[] = [];
  const things = new Map<string, Stored & { readonly visibleMs: number }>();
  let nextId = 1;

  function settle(): void {
    for (const [id, { goneMs }] of things)
      if (goneMs !== undefined && goneMs <= clock.now()) things.delete(id);
  }

  function store(found: Found, breaks: boolean, afterMs = 0): void {
    const slow = kindOf(found.resource) === 'server';
    const now = clock.now() + afterMs;
    const readyMs = slow ? now + buildMs : now;
    const stored = { ...found, uses: [...found.uses] };
    things.set(found.resource.cloudId, {
      found: stored,
      readyMs,
      breaks,
      goneMs: undefined,
      visibleMs: now + lagMs,
    });
  }

  function show({
    found,
    readyMs,
    breaks,
    goneMs,
  }: Omit<Stored, 'found'> & { readonly found: Found }): Found {
    const built = clock.now() >= readyMs;
    const message = goneMs !== undefined ? 'going' : !built ? 'building' : breaks ? 'broken' : '';
    return { ...found, resource: { ...found.resource, message } };
  }

  async function call<T>(
    verb: Call['verb'],
    kind: KindName,
    names: readonly string[],
    effect: (fault: Fault) => T,
  ): Promise<T> {
    const record: Call = { verb, kind, names, startMs: clock.now(), endMs: clock.now() };
    calls.push(record);
    const what = fault(record);
    await clock.wait(callMs, never);
    settle();
    record.endMs = clock.now();
    if (what === 'before') throw refusal(true);
    if (what === 'terminal') throw refusal(false);
    const result = effect(what);
    if (what === 'after') throw lost('UNAVAILABLE');
    if (what === 'late') throw lost('DEADLINE_EXCEEDED');
    return result;
  }

  function usesOf(desired: Resource, refs: Refs): string[] {
    return dependenciesOf(desired).map((key) => {
      const [kind, ...name] = key.split('/');
      const id = refs.id(kind as KindName, name.join('/'));
      if (!things.has(id)) throw new Error(`${desired.name} refers to ${key}, which is not there`);
      return id;
    });
  }

  function make({ desired, replacements }: Creation, refs: Refs, what: Fault): Found {
    const uses = usesOf(desired, refs);
    const resource = ResourceMessage.fromPartial({ ...desired, cloudId: `id-${nextId++}` });
    const found = { resource, uses, replacements };
    store(found, what === 'breaks', what === 'late' ? 2_000 : 0);
    return show({ found, readyMs: Number.POSITIVE_INFINITY, breaks: false, goneMs: undefined });
  }

  /** What stands on a thing that goes: it goes along, or lets go of it by itself. */
  function loosen(id: string, under: KindName): void {
    for (const [other, { found }] of things) {
      if (!found.uses.includes(id)) continue;
      const rules = RULES[kindOf(found.resource)];
      if (rules?.goesWith?.includes(under)) things.delete(other);
      else if (rules?.survives?.includes(under)) found.uses.splice(found.uses.indexOf(id), 1);
    }
  }

  function createKind(name: KindName): Kind {
    return {
      name,
      maxBatch: BULK.includes(name) ? 1000 : 1,
      rebinds: [],
      ...RULES[name],
      list: () =>
        call('list', name, [], () =>
          [...things.values()]
            .filter(({ found, visibleMs }) => kindOf(found.resource) === name && visibleMs <= clock.now())
            .map(show),
        ),
      ...(name === 'server' && {
        stirs: (waiting: readonly Found[], until: 'ready' | 'gone') =>
          call('stir', name, [], (): Stir => {
            const still = waiting.filter(({ resource: { cloudId } }) => {
              const stored = things.get(cloudId);
              return stored && (until === 'gone' || clock.now() < stored.readyMs);
            });
            return still.length === 0 ? 'all' : still.length < waiting.length ? 'some' : 'none';
          }),
      }),
      create: (batch, refs) =>
        call(
          'create',
          name,
          batch.map(({ desired }) => desired.name),
          (what) => batch.map((one) => make(one, refs, what)).map((found) => withoutWait(found)),
        ),
      update: (desired, found, refs) =>
        call('update', name, [desired.name], () => {
          const stored = things.get(found.resource.cloudId);
          if (!stored) return;
          const uses = usesOf(desired, refs);
          stored.found = {
            ...stored.found,
            uses,
            resource: { ...stored.found.resource, kind: desired.kind },
          };
        }),
      delete: (found) =>
        call('delete', name, [found.resource.name], () => {
          const id = found.resource.cloudId;
          loosen(id, name);
          if ([...things.values()].some((other) => other.found.uses.includes(id)))
            throw refusal(true, 'IN_USE');
          const stored = things.get(id);
          if (!stored) return 'gone';
          if (name !== 'server') {
            things.delete(id);
            return 'gone';
          }
          stored.goneMs ??= clock.now() + buildMs;
          return 'going';
        }),
      difference: (desired, observed) => {
        if (JSON.stringify(specOf(desired)) === JSON.stringify(specOf(observed))) return EQUAL;
        return { type: CHANGEABLE.includes(name) ? 'change' : 'replace', reason: 'the spec changed' };
      },
      readiness: ({ name: broken, message }) => {
        if (message === 'broken') return { state: 'broken', failure: noHost(broken) };
        return message === '' ? READY : { state: 'waiting', reason: message };
      },
    };
  }

  function withoutWait(found: Found): Found {
    return kindOf(found.resource) === 'server'
      ? found
      : { ...found, resource: { ...found.resource, message: '' } };
  }

  return {
    kinds: Object.fromEntries(KINDS.map((name) => [name, createKind(name)])) as Kinds,
    calls,
    world() {
      settle();
      return [...things.values()].map(show);
    },
    plant: (found) => store(found, false),
    vanish: (cloudId) => void things.delete(cloudId),
  };
}

function specOf(resource: Resource): unknown {
  return resource.kind?.value.spec;
}

function refusal(retryable: boolean, reason = 'INJECTED'): Failure {
  return new Failure({
    code: retryable ? 'UNAVAILABLE' : 'FAILED_PRECONDITION',
    reason,
    message: 'no',
    retryable,
  });
}

function noHost(name: string): Failure {
  return new Failure({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'NO_VALID_HOST',
    message: `Server "${name}" failed: no valid host`,
  });
}

function lost(code: 'UNAVAILABLE' | 'DEADLINE_EXCEEDED'): Failure {
  return new Failure({ code, reason: 'ANSWER_LOST', message: 'the answer was lost', retryable: true });
}
