// What Nova says of a server whose state forbids what was asked, in words that name the server and what to do next.

import { Failure } from '#common/errors.ts';
import type { Server } from '../api/nova-servers.ts';

const ADVICE: Readonly<Record<string, string>> = {
  stopped: 'start it first',
  paused: 'unpause it first',
  suspended: 'resume it first',
  shelved: 'unshelve it first',
  shelved_offloaded: 'unshelve it first',
  resized: 'confirm its resize, or revert it, first',
  error: 'rebuild or delete it',
};

/** For a `catch`: ABORTED as Nova means it, everything else as it is. */
export function refusalOf({ id, name }: Pick<Server, 'id' | 'name'>) {
  return (error: unknown): never => {
    if (!(error instanceof Failure) || error.code !== 'ABORTED') throw error;
    const [, action, kind, state = ''] =
      /Cannot '([\w ]+)' instance \S+ while it is in (\w+) ([\w-]+)/.exec(error.message) ?? [];
    if (action === undefined) throw error;
    const advice =
      kind === 'task_state' ? 'wait until that is done' : (ADVICE[state] ?? 'wait until it runs');
    throw new Failure({
      code: 'ABORTED',
      reason: error.reason,
      message: `Instance "${name}" is ${state.replaceAll('_', ' ')}, which forbids "${action}": ${advice}`,
      retryable: error.retryable,
      cause: error,
      metadata: { ...error.metadata, instance_id: id },
    });
  };
}
