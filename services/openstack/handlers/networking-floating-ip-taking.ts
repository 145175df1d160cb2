// Taking a floating IP so that none is lost: it is made and led to its port in one call, which bears a mark of its own. Where
// the answer to that call is lost, what came of it is looked for by the mark, and answered or given back.

import { randomBytes } from 'node:crypto';
import { Failure } from '#common/errors.ts';
import type { Context } from '#common/rpc-server.ts';
import { backoffMs, wait } from '#common/time.ts';
import { absentIsDone } from '../api/errors.ts';
import type { Neutron } from '../api/neutron.ts';
import type { FloatingIp, FloatingIpCreate } from '../api/neutron-types.ts';
import { NEVER_SENT } from '../api/transport.ts';
import { callContext } from './deps.ts';
import { describe } from './networking-text.ts';

/** `mark` is its owner's, `text` the owner's words. */
type Wish = Omit<FloatingIpCreate, 'description'> & { readonly mark: string; readonly text: string };

// Neutron may still be at work when the answer is given up: for a caller who waits, and when nobody does.
const PATIENCE_MS = 5_000;
const PATIENCE_ALONE_MS = 30_000;

export async function takeFloatingIp(
  { floatingIps }: Pick<Neutron, 'floatingIps'>,
  { mark, text, ...wish }: Wish,
  context: Context,
): Promise<FloatingIp> {
  const description = describe(`${mark} ~${randomBytes(4).toString('hex')}`, text);
  try {
    return await floatingIps.create({ ...wish, description }, callContext(context));
  } catch (error) {
    if (isRefusal(error)) throw error;
    const made = await keepOrGiveBack(hasAnswered(error)).catch((cause: unknown) => {
      context.log.warn({ cause, description }, 'a floating IP may have been taken that nobody knows of');
      throw unclear(error);
    });
    if (made) return made;
    throw error;
  }

  async function keepOrGiveBack(isOver: boolean): Promise<FloatingIp | undefined> {
    const { requestId, signal } = context;
    const patienceMs = signal.aborted ? PATIENCE_ALONE_MS : PATIENCE_MS;
    const within = { requestId, signal: AbortSignal.timeout(2 * PATIENCE_ALONE_MS) };
    const deadline = Date.now() + patienceMs;
    for (let attempt = 0; ; attempt += 1) {
      const [found] = await floatingIps.list({ description }, within);
      if (found?.port_id === (wish.port_id ?? null) && !signal.aborted) return found;
      if (found) return void (await absentIsDone(floatingIps.remove(found.id, within)));
      if (isOver || Date.now() > deadline) return undefined;
      await wait(backoffMs(attempt, { baseMs: 250, maxMs: 2_000 }), within.signal);
    }
  }
}

/** Whether nothing was made for sure: Neutron said no, or was never asked. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Failure)) return false;
  const { status = '', sent } = error.metadata;
  return status.startsWith('4') || sent === NEVER_SENT || error.reason === 'CIRCUIT_OPEN';
}

/** Whether Neutron is done with the call, whatever it says of it. */
function hasAnswered(error: unknown): boolean {
  return error instanceof Failure && error.metadata.status !== undefined;
}

function unclear(cause: unknown): unknown {
  if (!(cause instanceof Failure)) return cause;
  return new Failure({
    code: cause.code,
    reason: cause.reason,
    message: `${cause.message}. It may have been taken all the same: look at the list of floating IPs before trying again`,
    metadata: cause.metadata,
    cause,
  });
}
