// The sandbox's own REST controls, which no OpenStack has: what it is, call counts and faults. No token is needed, for
// the sandbox is a tool on the developer's own machine.

import type { IncomingMessage } from 'node:http';
import { type Cloud, sizeOf, snapshotOf } from './cloud.ts';
import type { FaultLayer } from './faults.ts';
import { Fault, isObject, type Json, type Reply, readBody } from './http.ts';
import type { Misbehaviour } from './misbehaviour.ts';

export type Controls = {
  readonly faults: FaultLayer;
  readonly misbehaviour: Pick<Misbehaviour, 'added'>;
  readonly counters: { all(): Record<string, number>; reset(): void };
  readonly cloud: Cloud;
};

const MAX_BODY_BYTES = 64 * 1024;

export async function control(request: IncomingMessage, path: string, controls: Controls): Promise<Reply> {
  try {
    return await answer(request, path, controls);
  } catch (error) {
    if (error instanceof Fault) return { status: error.status, body: { error: error.message } };
    throw error;
  }
}

async function answer(
  request: IncomingMessage,
  path: string,
  { faults, misbehaviour, counters, cloud }: Controls,
): Promise<Reply> {
  const call = `${request.method === 'HEAD' ? 'GET' : request.method} ${path}`;
  switch (call) {
    case 'GET /':
      return { status: 200, body: about(cloud) };
    case 'GET /healthz':
      return { status: 200, body: { status: 'healthy' } };
    case 'GET /_sandbox/state':
      return {
        status: 200,
        body: {
          ...sizeOf(cloud),
          calls_counted: Object.keys(counters.all()).length,
          faults: faults.list().length,
        },
      };
    case 'GET /_sandbox/tables':
      return { status: 200, body: snapshotOf(cloud).tables };
    case 'GET /_sandbox/counts':
      return { status: 200, body: { counts: counters.all() } };
    case 'DELETE /_sandbox/counts':
      counters.reset();
      return { status: 204 };
    case 'GET /_sandbox/faults':
      return { status: 200, body: { faults: faults.list() } };
    case 'POST /_sandbox/faults': {
      const fault = faults.add(await readObject(request));
      misbehaviour.added(fault, faults.list());
      return { status: 201, body: { fault } };
    }
    case 'DELETE /_sandbox/faults':
      faults.remove();
      return { status: 204 };
    default: {
      const id = /^DELETE \/_sandbox\/faults\/(\d+)$/.exec(call)?.[1];
      if (id === undefined) return { status: 404, body: { error: `there is no ${call}` } };
      faults.remove(Number(id));
      return { status: 204 };
    }
  }
}

function about(cloud: Cloud) {
  return {
    name: 'OpenStack sandbox',
    identity: `${cloud.url}/identity/v3`,
    compute: `${cloud.url}/compute/v2.1`,
    network: `${cloud.url}/networking`,
    image: `${cloud.url}/image`,
    volumev3: `${cloud.url}/volume/v3`,
    controls: ['/_sandbox/faults', '/_sandbox/counts', '/_sandbox/state', '/_sandbox/tables', '/healthz'],
  };
}

async function readObject(request: IncomingMessage): Promise<Json> {
  const bytes = await readBody(request, MAX_BODY_BYTES);
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (isObject(value)) return value;
  } catch {
    // Said below.
  }
  throw new Fault(400, 'the body must be a JSON object');
}
