import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import type { Message } from './schema.ts';
import { openStream } from './stream.ts';
import { type Asked, eventually, startWorld } from './testing/world.ts';

const WATCH = '/pucp.slice.v1.SliceService/WatchSlice';
const EVENTS = '/testing.library.v1.LibraryService/Watch';

async function* events(from: number, to: number): AsyncGenerator<Message> {
  for (let sequence = from; sequence <= to; sequence += 1) yield { sequence, what: `event ${sequence}` };
}

function never(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

async function reader(response: Response) {
  const chunks = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return async (until: RegExp) => {
    while (!until.test(text)) {
      const { done, value } = (await chunks?.read()) ?? { done: true };
      if (done) break;
      text += value;
    }
    return text;
  };
}

test('a slice is watched line by line, as its events happen', async () => {
  let happen = () => {};
  const next = new Promise<void>((resolve) => {
    happen = resolve;
  });
  await using world = await startWorld({
    [WATCH]: async function* () {
      yield { slice_id: '7', sequence: 1, type: 1, status: 3, time: { seconds: 1769860800 } };
      await next;
      yield { slice_id: '7', sequence: 2, type: 3, percent: 50 };
    },
  });
  const headers = { authorization: `Bearer ${await world.token()}` };
  const response = await fetch(`${world.url}/api/slices/7/events`, { headers });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'application/x-ndjson');
  const read = await reader(response);
  const first = JSON.parse(await read(/\n/));
  assert.equal(first.status, 'deploying');
  assert.equal(first.type, 'state');
  assert.equal(first.time, '2026-01-31T12:00:00Z');
  happen();
  const lines = (await read(/never/)).trim().split('\n');
  assert.equal(lines.length, 2);
  assert.equal(JSON.parse(lines[1] ?? '').percent, 50);
});

test('a page hears server-sent events with ids, and is told when it is over', async () => {
  await using world = await startWorld({ [EVENTS]: () => events(1, 2) });
  const headers = { authorization: `Bearer ${await world.token()}`, accept: 'text/event-stream' };
  const response = await fetch(`${world.url}/v1/events`, { headers });
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  assert.equal(response.headers.get('cache-control'), 'no-store');
  assert.equal(
    await response.text(),
    'id: 1\nevent: message\ndata: {"sequence":1,"what":"event 1"}\n\n' +
      'id: 2\nevent: message\ndata: {"sequence":2,"what":"event 2"}\n\n' +
      'event: end\ndata: {}\n\n',
  );
});

test('a page that comes back goes on after the last event it heard', async () => {
  await using world = await startWorld({
    [EVENTS]: ({ request }) => events(Number(request.after ?? 0) + 1, 3),
  });
  const headers = { authorization: `Bearer ${await world.token()}` };
  const ask = async (query: string, more: Record<string, string> = {}) => {
    const response = await fetch(`${world.url}/v1/events${query}`, { headers: { ...headers, ...more } });
    return (await response.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).sequence);
  };
  assert.deepEqual(await ask('?after=1'), [2, 3]);
  assert.deepEqual(await ask('', { 'last-event-id': '2' }), [3]);
  assert.deepEqual(await ask('?after=1', { 'last-event-id': '2' }), [3]);
  const bad = await fetch(`${world.url}/v1/events`, { headers: { ...headers, 'last-event-id': 'x' } });
  assert.equal(bad.status, 400);
});

test('a watch that is refused has a status, like any other request', async () => {
  await using world = await startWorld({
    // biome-ignore lint/correctness/useYield: it fails before it begins
    [WATCH]: async function* () {
      throw new Failure({ code: 'NOT_FOUND', reason: 'SLICE_NOT_FOUND', message: 'Slice "9" not found' });
    },
  });
  const headers = { authorization: `Bearer ${await world.token()}`, accept: 'text/event-stream' };
  const response = await fetch(`${world.url}/api/slices/9/events`, { headers });
  assert.equal(response.status, 404);
  assert.equal(((await response.json()) as { reason: string }).reason, 'SLICE_NOT_FOUND');
});

test('a watch that fails on the way ends with a line that says why', async () => {
  const answer = async function* () {
    yield { sequence: 1 };
    throw new Failure({ code: 'UNAVAILABLE', reason: 'GONE', message: 'The cloud is gone' });
  };
  await using world = await startWorld({ [EVENTS]: answer });
  const headers = { authorization: `Bearer ${await world.token()}` };
  const lines = (await (await fetch(`${world.url}/v1/events`, { headers })).text()).trim().split('\n');
  const last = JSON.parse(lines[1] ?? '');
  assert.equal(last.error, 'The cloud is gone');
  assert.equal(last.reason, 'GONE');
  const sse = await fetch(`${world.url}/v1/events`, { headers: { ...headers, accept: 'text/event-stream' } });
  assert.match(await sse.text(), /event: failure\ndata: \{"error":"The cloud is gone"/);
});

test('an answer begins although nothing has happened yet', async () => {
  await using world = await startWorld({
    [EVENTS]: async function* ({ signal }: Asked) {
      await never(signal);
      yield {};
    },
  });
  const leave = new AbortController();
  const headers = { authorization: `Bearer ${await world.token()}` };
  const response = await fetch(`${world.url}/v1/events`, { headers, signal: leave.signal });
  assert.equal(response.status, 200);
  leave.abort();
});

for (const [format, heartbeat, whole] of [
  ['sse', ': still here\n\n', /^(: still here\n\n){3,}id: 1\n/],
  ['ndjson', '\n', /^\n{3,}\{"sequence":1\}\n$/],
] as const) {
  test(`a silent stream of events shows that it lives: ${format}`, async () => {
    const leave = new AbortController();
    const body = await openStream({
      messages: (async function* () {
        await never(leave.signal);
        yield { sequence: 1 };
      })(),
      write: (message) => message,
      format,
      describe: String,
      begin: () => {},
      heartbeatMs: 10,
    });
    let text = '';
    for await (const chunk of body) {
      text += chunk;
      if (text.split(heartbeat).length > 3) leave.abort();
    }
    assert.match(text, whole);
  });
}

test('when the client leaves, the service is told to stop', async () => {
  await using world = await startWorld({
    [EVENTS]: async function* ({ signal }: Asked) {
      yield { sequence: 1 };
      await never(signal);
    },
  });
  const leave = new AbortController();
  const headers = { authorization: `Bearer ${await world.token()}` };
  const response = await fetch(`${world.url}/v1/events`, { headers, signal: leave.signal });
  await (await reader(response))(/\n/);
  leave.abort();
  await eventually('the call is cancelled', () => world.asked[0]?.signal.aborted === true);
});

test('a client that does not read holds the service back instead of filling the memory', async () => {
  let given = 0;
  await using world = await startWorld({
    [EVENTS]: async function* () {
      for (given = 0; given < 100_000; given += 1) yield { sequence: given, what: 'x'.repeat(10_000) };
    },
  });
  const { hostname, port } = new URL(world.url);
  const socket = connect(Number(port), hostname);
  socket.pause();
  socket.write(`GET /v1/events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${await world.token()}\r\n\r\n`);
  let before = -1;
  await eventually('the service waits', async () => {
    if (given > 0 && given === before) return true;
    before = given;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return false;
  });
  assert(given < 20_000, `${given} of 100000 messages went to nobody`);
  socket.destroy();
  await eventually('the call is cancelled', () => world.asked[0]?.signal.aborted === true);
});

test('when the gateway restarts, open streams end with a word and nobody waits for them', async () => {
  await using world = await startWorld({
    [EVENTS]: async function* ({ signal }: Asked) {
      yield { sequence: 1 };
      await never(signal);
    },
  });
  const headers = { authorization: `Bearer ${await world.token()}` };
  const response = await fetch(`${world.url}/v1/events`, { headers });
  const read = await reader(response);
  await read(/\n/);
  const closing = world.close();
  const lines = (await read(/never/)).trim().split('\n');
  assert.equal(JSON.parse(lines[1] ?? '').reason, 'GATEWAY_CLOSING');
  await closing;
});
