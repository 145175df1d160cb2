// What the engine knows of a kind of resource, and what a driver promises for each. The engine knows no cloud; a driver
// knows no order, no retry and no waiting.

import { Failure } from '#common/errors.ts';
import type { Scope } from '#proto/pucp/driver/v1/driver_service.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';

/** The kinds there are, under the names that the proto gives them. */
export type KindName = NonNullable<Resource['kind']>['$case'];

/** One resource of a slice, such as `server/vm1`. */
export type Key = `${KindName}/${string}`;

/** A resource as the cloud lists it. */
export type Found = {
  /** Slice-local name, the cloud's id, and spec and status as far as the cloud tells them. */
  readonly resource: Resource;
  /** The cloud's ids of the slice's other resources that it stands on: they cannot go before it. */
  readonly uses: readonly string[];
  /** The cloud's id of what stands on it, for kinds whose users do not tell themselves. */
  readonly usedBy?: string;
  /** How often it was made anew after a failure. */
  readonly replacements: number;
};

/** A resource to be made. */
export type Creation = { readonly desired: Resource; readonly replacements: number };

export type Readiness =
  | { readonly state: 'ready' }
  /** The cloud is at work; looking again later makes sense. */
  | { readonly state: 'waiting'; readonly reason: string }
  /** The cloud gave up: it will never be ready. The failure says which resource and why. */
  | {
      readonly state: 'broken';
      readonly failure: Failure;
      /** Made anew now, it would end the same way; only a later run may try. */
      readonly isFutile?: true;
      /** It holds what nobody can give back: never made anew. */
      readonly isKept?: true;
    };

export type Difference =
  | { readonly type: 'equal' }
  /** `update` makes it equal while it lives on; `again` if this is the second half of what an update began. */
  | { readonly type: 'change'; readonly reason: string; readonly again?: true }
  /** Only deleting it and making it anew does. */
  | { readonly type: 'replace'; readonly reason: string };

/** How many of the things that were asked after may have got on. */
export type Stir = 'none' | 'some' | 'all';

export const READY: Readiness = { state: 'ready' };
export const EQUAL: Difference = { type: 'equal' };

/** What a call may need beside its own arguments. */
export type CallContext = { readonly scope: Scope; readonly signal: AbortSignal };

/** The lists of one look at the cloud: each kind is asked for once, whoever needs it. */
export type Look = { of(kind: KindName): Promise<readonly Found[]> };

/** The cloud's ids of what a resource depends on. */
export type Refs = { id(kind: KindName, name: string): string };

/** A kind in one cloud. Failures are `Failure`s; `retryable` says whether the same call may succeed later. */
export interface Kind {
  readonly name: KindName;
  /** How many resources one `create` takes; 1 where the cloud has no bulk creation. */
  readonly maxBatch: number;
  /** What one `create` takes has the same answer; all of the kind go together if absent. */
  readonly batchOf?: (desired: Resource) => string;
  /** Kinds that `update` can take away from beneath a living resource of this kind. */
  readonly rebinds: readonly KindName[];
  /** Kinds that may go beneath a living resource of this kind; `update` then binds it to what comes instead. */
  readonly survives?: readonly KindName[];
  /** Kinds whose removal takes it along. */
  readonly goesWith?: readonly KindName[];

  /**
   * Lists everything of the slice of this kind, and nothing that does not bear the slice's mark, with one call however
   * many there are. What it needs of other kinds (names of ids) it takes from `look`.
   */
  list(look: Look, context: CallContext): Promise<readonly Found[]>;

  /**
   * Makes all of the batch with one remote effect, which happens whole or not at all; nothing can fail after it. Answers
   * in the batch's order. After a retryable failure it is unknown whether the effect happened: the engine lists before
   * it asks again. A batch is never longer than `maxBatch`.
   */
  create(batch: readonly Creation[], refs: Refs, context: CallContext): Promise<readonly Found[]>;

  /** Makes an existing resource equal, as far as `difference` calls it a change. Doing it twice is doing it once. */
  update(desired: Resource, found: Found, refs: Refs, context: CallContext): Promise<void>;

  /**
   * Asks for removal; absent is done. Answers whether it is `gone` or only `going`: then its absence in the list tells.
   * A conflict with something that is on its way out is a retryable failure.
   */
  delete(found: Found, context: CallContext): Promise<'gone' | 'going'>;

  /**
   * How many of these may have got on since they were last listed: a cheaper question than `list`, where the cloud has one.
   * All of them wait to be `ready`, or all to be `gone`.
   */
  stirs?(waiting: readonly Found[], until: 'ready' | 'gone', context: CallContext): Promise<Stir>;

  /** Compares a wish with what is; pure. While the cloud is still at work on it, what it cannot tell yet is equal. */
  difference(desired: Resource, observed: Resource): Difference;

  /** Tells whether others may build on it; pure. */
  readiness(observed: Resource): Readiness;

  /** The cloud's id of the request that a broken resource failed at, if it can still tell. */
  requestIdOf?(found: Found, context: CallContext): Promise<string | undefined>;
}

/** All kinds of a driver. */
export type Kinds = Readonly<Record<KindName, Kind>>;

export function kindOf(resource: Resource): KindName {
  if (resource.kind) return resource.kind.$case;
  throw new Failure({
    code: 'INVALID_ARGUMENT',
    reason: 'RESOURCE_WITHOUT_KIND',
    message: `Resource "${resource.name}" does not say what kind it is`,
  });
}

export function keyOf(resource: Resource): Key {
  return `${kindOf(resource)}/${resource.name}`;
}
