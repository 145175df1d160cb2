// The driver as the slice service calls it, for slices of one user.

import assert from 'node:assert/strict';
import { createIdentity } from '#common/caller.ts';
import { connect } from '#common/rpc-client.ts';
import {
  type ConvergeEvent,
  type ConvergeResult,
  type DriverServiceServer,
  DriverServiceService,
  OnFailure,
  Outcome,
  type PlanResponse,
  type Scope,
} from '#proto/pucp/driver/v1/driver_service.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import type { Contract, ContractUser } from './contract.ts';

export type DrivenSlice = {
  readonly sliceId: string;
  /** The events to the end, or until `isEnough`: then the caller leaves. What fails is kept. */
  converge(desired: Resource[], isEnough?: (event: ConvergeEvent) => boolean): Promise<ConvergeEvent[]>;
  plan(desired: Resource[]): Promise<PlanResponse>;
  close(): void;
};

/** A slice that a driver is asked for: one that nothing was before, or one that others were asked for, up to a fence. */
export async function driveSlice(
  { url, config, name }: Pick<Contract, 'url' | 'config' | 'name'>,
  { userId, username }: ContractUser,
  stem: string,
  known?: { readonly sliceId: string; readonly fence: number },
): Promise<DrivenSlice> {
  const driver = connect<DriverServiceServer>(DriverServiceService, url);
  const identity = createIdentity({ secret: config.jwtSecret });
  const user = { userId, username, role: 'student' } as const;
  const options = { token: await identity.sign(user, { ttlS: 3600, actor: 'slice' }), timeoutMs: 600_000 };
  const sliceId = known?.sliceId ?? name(stem);
  const scope: Scope = { sliceId, sliceName: stem, userId, username };
  let fence = known?.fence ?? 0;
  return {
    sliceId,
    async converge(desired, isEnough) {
      fence += 1;
      const request = { scope, desired, onFailure: OnFailure.KEEP, fence };
      const events: ConvergeEvent[] = [];
      for await (const event of driver.converge(request, options)) {
        events.push(event);
        if (isEnough?.(event)) break;
      }
      return events;
    },
    plan: (desired) => driver.plan({ scope, desired, isNew: false }, options),
    close: () => driver.close(),
  };
}

/** What a call came to in the end. */
export function resultOf(events: readonly ConvergeEvent[]): ConvergeResult {
  const last = events.at(-1)?.event;
  assert(last?.$case === 'result', 'the call ended with a result');
  return last.value;
}

/** The same for a call that must have reached what was wished. */
export function convergedOf(events: readonly ConvergeEvent[]): ConvergeResult {
  const result = resultOf(events);
  assert.equal(result.outcome, Outcome.CONVERGED, result.errorMessage);
  return result;
}
