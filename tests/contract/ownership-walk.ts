// Every rpc of the package as something to call: its path, its access rule, and a request for given things.

import { randomBytes, randomUUID } from 'node:crypto';
import { type CallOptions, type Client, connect } from '#common/rpc-client.ts';
import { ACCESS } from '#proto/access.ts';
import type { Access } from '#proto/pucp/api/v1/options.ts';
import type { Definition, Examples, Things } from './ownership-examples.ts';

export type Rpc = {
  readonly name: string;
  readonly path: string;
  readonly access: Access;
  /** Whether its request names something of somebody's. */
  readonly isNamed: boolean;
  /** Ends as the rpc does; a stream's when its last message has come. */
  call(things: Things, options: CallOptions): Promise<unknown>;
};

/** A call on the caller's own things that names others besides. */
export type MixedCall = {
  readonly path: string;
  call(own: Things, foreign: Things, options: CallOptions): Promise<unknown>;
};

type AnyClient = Readonly<Record<string, (request: unknown, options: CallOptions) => unknown>>;

export type Walk = { readonly rpcs: readonly Rpc[]; readonly mixed: readonly MixedCall[]; close(): void };

export function createWalk(all: readonly Examples[], url: string): Walk {
  const clients = all.map(({ definition }) => connect<object>(definition as never, url));
  const rpcs = all.flatMap(({ definition, named, nameless }, at) => {
    const client = clients[at] as unknown as AnyClient;
    const of = (name: string, isNamed: boolean) => {
      const path = definition[name]?.path ?? `no such rpc: ${name}`;
      const request = (things: Things) => (isNamed ? named(things)[name] : nameless[name]) ?? {};
      const rpc: Rpc = {
        name,
        path,
        access: ACCESS[path] ?? 'ACCESS_UNSPECIFIED',
        isNamed,
        call: (things, options) => send(client, definition, { name, fields: request(things) }, options),
      };
      return rpc;
    };
    return [
      ...Object.keys(named({})).map((name) => of(name, true)),
      ...Object.keys(nameless).map((name) => of(name, false)),
    ];
  });
  const mixedCalls = all.flatMap(({ definition, mixed }, at) => {
    const client = clients[at] as unknown as AnyClient;
    return mixed({}, {}).flatMap((requests, nth) =>
      Object.keys(requests).map(
        (name): MixedCall => ({
          path: definition[name]?.path ?? `no such rpc: ${name}`,
          call: (own, foreign, options) =>
            send(client, definition, { name, fields: mixed(own, foreign)[nth]?.[name] ?? {} }, options),
        }),
      ),
    );
  });
  return {
    rpcs,
    mixed: mixedCalls,
    close() {
      for (const client of clients as readonly Client<object>[])
        (client as { close(): void } & object).close();
    },
  };
}

async function send(
  client: AnyClient,
  definition: Definition,
  { name, fields }: { readonly name: string; readonly fields: object },
  options: CallOptions,
): Promise<unknown> {
  const method = definition[name];
  // What no bytes mean: every field as if it were not sent.
  const empty = method?.requestDeserialize(Buffer.alloc(0)) as object;
  const request = { ...empty, ...fields };
  const answer = client[name]?.(method?.requestStream ? once(request) : request, options);
  if (!method?.responseStream) return await answer;
  const messages: unknown[] = [];
  for await (const message of answer as AsyncIterable<unknown>) messages.push(message);
  return messages;
}

async function* once(request: object): AsyncGenerator<object> {
  yield request;
}

/** Things that never existed, with ids of the same form. */
export function nothingLike(things: Things): Things {
  const entries = Object.entries(things).map(([kind, id]) => {
    const isHex = /^[0-9a-f]{32}$/.test(id);
    return [kind, isHex ? randomBytes(16).toString('hex') : randomUUID()] as const;
  });
  return Object.fromEntries(entries);
}
