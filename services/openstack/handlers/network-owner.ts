// Whose a network, or another of Neutron's things, is: it says so itself, or the deployed slice that it belongs to does.

import type { Context } from '#common/rpc-server.ts';
import { deployedSliceOf, type Marked, ownerMarkOf } from '../marks.ts';
import type { Tenancy } from '../tenancy.ts';
import { callContext } from './deps.ts';

/** Answers a function that tells the mark of a thing's owner, as far as the caller may know it. */
export async function readNetworkOwner(
  tenancy: Tenancy,
  context: Context,
): Promise<(network: Marked) => string | undefined> {
  const { caller } = context;
  const [mine, slices] = await Promise.all([
    tenancy.ownerMark(caller),
    tenancy.ownSlices(caller, callContext(context)),
  ]);
  return (network) => {
    const slice = deployedSliceOf(network);
    return slice !== undefined && slices.has(slice) ? mine : ownerMarkOf(network);
  };
}
