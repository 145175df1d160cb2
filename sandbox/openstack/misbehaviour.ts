// What a fault does to a request: spoils its answer, loses it, delays it, or lets the cloud itself go wrong.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Cloud, frozenCopy } from './cloud.ts';
import type { Rule } from './faults.ts';
import { isObject, type Reply, type Service, send } from './http.ts';
import { hashSecret } from './ids.ts';

export type Struck = {
  readonly service: Service;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Answers as usual, from what is there now or from a copy of the cloud. */
  readonly run: (from?: Cloud) => Promise<Reply>;
};

export type Misbehaviour = {
  /** Told of every new rule. */
  added(rule: Rule, all: readonly Rule[]): void;
  /** Answers a request, or spoils the answer as the rule says. */
  answer(rule: Rule | undefined, struck: Struck): Promise<void>;
};

export function createMisbehaviour(cloud: Cloud): Misbehaviour {
  /** The cloud as it was when a rule for stale lists was added, by the rule's id. */
  const copies = new Map<number, Cloud>();

  async function answer(rule: Rule | undefined, struck: Struck): Promise<void> {
    const { service, request, response, run } = struck;
    const reply = (answered: Reply) => send(response, answered, request.method === 'HEAD');
    const delay = () => new Promise((resolve) => setTimeout(resolve, rule?.delay_ms ?? 0));
    if (!rule) return reply(await run());
    if (rule.delay_ms > 0 && rule.effect !== 'delay-after') await delay();
    switch (rule.effect) {
      case 'delay':
        return reply(await run());
      case 'hang':
        return;
      case 'reset':
        request.socket.resetAndDestroy();
        return;
      case 'garbage':
        request.resume();
        return reply(HALF_A_PAGE);
      case '429':
      case 'error-before':
        request.resume();
        return reply(broken(rule, service));
      case 'error-after':
        await run();
        return reply(broken(rule, service));
      case 'delay-after': {
        const answered = await run();
        await delay();
        return reply(answered);
      }
      case 'drop-after':
        await run();
        request.socket.destroy();
        return;
      case 'stale-list':
        return reply(await run(request.method === 'GET' ? copies.get(rule.id) : undefined));
      case 'token-revoked':
        cloud.tokens.remove(hashSecret(String(request.headers['x-auth-token'])));
        return reply(await run());
      case 'server-error': {
        const answered = await run();
        breakServers(cloud, answered);
        return reply(answered);
      }
    }
  }

  return {
    added(rule, all) {
      for (const id of copies.keys()) {
        if (!all.some((one) => one.id === id && one.times !== 0)) copies.delete(id);
      }
      if (rule.effect === 'stale-list') copies.set(rule.id, frozenCopy(cloud));
    },
    answer,
  };
}

const HALF_A_PAGE: Reply = {
  status: 200,
  body: '<html><body>Bad gateway</body',
  headers: { 'content-type': 'text/html' },
};

function broken({ status, retry_after: retryAfter }: Rule, service: Service): Reply {
  const message = 'The sandbox was asked to fail this request.';
  return {
    status,
    body: { message, code: status, service: service.name },
    headers: retryAfter === null ? {} : { 'retry-after': String(retryAfter) },
  };
}

/** What the answer says was made ends in ERROR, as with `fake_fail=spawn`. */
function breakServers(cloud: Cloud, { body }: Reply): void {
  const made =
    isObject(body) && isObject(body.server) ? cloud.servers.get(String(body.server.id)) : undefined;
  if (made) cloud.servers.update(made.id, { metadata: { ...made.metadata, fake_fail: 'spawn' } });
}
