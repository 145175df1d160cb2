// Every resource of a slice with its state: what the cloud was last known to hold, and what the spec wishes besides.

import { dependenciesOf, KINDS } from '#engine/graph.ts';
import { keyOf } from '#engine/kind.ts';
import { compileSpec } from '#engine/spec/compile.ts';
import { Power, type Resource, ResourceState } from '#proto/pucp/driver/v1/resource.ts';
import type { SliceResource } from '#proto/pucp/slice/v1/history.ts';
import type { HeldResource, Snapshot } from './history-store.ts';
import { kindOf, type SliceRow } from './rows.ts';

/** In the order of dependency: each kind after those it stands on. */
export function resourceViews({ row, held }: Snapshot): SliceResource[] {
  const heldByKey = new Map(held.map((one) => [keyOf(one.resource), one]));
  const wished = wishOf(row);
  const wishedKeys = new Set(wished.map(keyOf));
  const left = held.filter(({ resource }) => !wishedKeys.has(keyOf(resource)));
  const all: HeldResource[] = [
    ...wished.map((resource) => heldByKey.get(keyOf(resource)) ?? { resource, since: null }),
    ...left,
  ];
  const isReady = (key: string) => heldByKey.get(key as never)?.resource.state === ResourceState.READY;
  return all
    .map(({ resource, since }) => {
      const needs = dependenciesOf(resource);
      const missing = isAtWork(row) ? needs.filter((key) => !isReady(key)).map(nameOf) : [];
      const isPending = stateWord(resource.state) === 'pending';
      return {
        kind: kindOf(resource),
        name: resource.name,
        cloudId: resource.cloudId,
        state: stateWord(resource.state),
        message: isPending && missing.length > 0 ? `waits for ${missing.join(', ')}` : resource.message,
        since: since?.toISOString(),
        needs: needs.map(nameOf),
      };
    })
    .sort((a, b) => orderOf(a.kind) - orderOf(b.kind));
}

/** A resource's state as the API writes it: `failed` for what the cloud gave up. */
export function stateWord(state: ResourceState): string {
  switch (state) {
    case ResourceState.UNSPECIFIED:
      return 'pending';
    case ResourceState.BROKEN:
      return 'failed';
    default:
      return state.replace('RESOURCE_STATE_', '').toLowerCase();
  }
}

/** Whether there is work on the slice, or to come. */
export function isAtWork({ generation, settled_generation: settled }: SliceRow): boolean {
  return generation > settled;
}

function wishOf({ goal, spec }: SliceRow): Resource[] {
  return goal === 'deleted' ? [] : compileSpec(spec, { power: Power.ON });
}

/** `routerInterface/lan` as the API writes it. */
function nameOf(key: string): string {
  const [kind = '', ...name] = key.split('/');
  return `${snake(kind)}/${name.join('/')}`;
}

const ORDER = KINDS.map(snake);

function orderOf(kind: string): number {
  return ORDER.indexOf(kind);
}

function snake(kind: string): string {
  return kind.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
