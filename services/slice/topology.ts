// Requests that name a topology: the mistakes in it and in what it stands for, told together and at its fields.

import { Failure, invalid } from '#common/errors.ts';
import type { Expansion } from '#engine/spec/topologies/expand.ts';

/** What `examining` the expanded spec comes to. Throws INVALID_ARGUMENT if it or the topology has mistakes. */
export async function withTopology<T>(expansion: Expansion, examining: Promise<T>): Promise<T> {
  const { mistakes, restate } = expansion;
  const result = await examining.catch((error: unknown) => {
    const isMistaken = error instanceof Failure && error.violations.length > 0;
    // What is known to be wrong is worth saying even if the cloud cannot add to it.
    if (!isMistaken && mistakes.length === 0) throw error;
    throw invalid(restate([...mistakes, ...(isMistaken ? error.violations : [])]));
  });
  if (mistakes.length > 0) throw invalid(restate(mistakes));
  return result;
}
