import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import type { Message } from './schema.ts';
import { type Asked, eventually, startWorld } from './testing/world.ts';

const SCAN = '/testing.library.v1.LibraryService/Scan';
const MIB = 1024 * 1024;

// Absent in the first message, which has no bytes.
function pieceOf({ piece = Buffer.alloc(0) }: Message): Buffer {
  return piece as Buffer;
}

/** Reads everything and answers with the sum of it. */
async function* readAll({ requests }: Asked): AsyncGenerator<Message> {
  let first: Message | undefined;
  let bytes = 0;
  for await (const message of requests) {
    first ??= message;
    const { length } = pieceOf(message);
    bytes += length;
    if (length > 0) yield { bytes };
  }
  yield { bytes, book: { name: first?.name, pages: first?.pages, price: first?.content_length } };
}

function post(token: string, body: RequestInit['body'], headers: Record<string, string> = {}): RequestInit {
  const type = { 'content-type': 'application/octet-stream' };
  return { method: 'POST', body, headers: { authorization: `Bearer ${token}`, ...type, ...headers } };
}

test('a file is sent as the body, the rest as path and query, and the result is the answer', async () => {
  await using world = await startWorld({ [SCAN]: readAll });
  const bytes = randomBytes(5 * MIB);
  const response = await fetch(`${world.url}/v1/books/dune/scan?pages=3`, post(await world.token(), bytes));
  assert.equal(response.status, 201);
  const book = (await response.json()) as Record<string, unknown>;
  assert.deepEqual([book.name, book.pages, book.price], ['dune', 3, bytes.length]);
});

test('a client that wants the progress hears every message', async () => {
  await using world = await startWorld({ [SCAN]: readAll });
  const accept = { accept: 'application/x-ndjson' };
  const init = post(await world.token(), randomBytes(MIB), accept);
  const lines = (await (await fetch(`${world.url}/v1/books/dune/scan`, init)).text()).trim().split('\n');
  const messages = lines.map((line) => JSON.parse(line) as { bytes: number; book: unknown });
  assert(messages.length > 1);
  assert.equal(messages.at(-1)?.bytes, MIB);
  assert.equal(messages[0]?.book, null);
  assert.notEqual(messages.at(-1)?.book, null);
});

test('a file of another type, a wrong query or a missing token is refused before a byte is passed on', async () => {
  await using world = await startWorld({ [SCAN]: readAll });
  const token = await world.token();
  const url = `${world.url}/v1/books/dune/scan`;
  const form = await fetch(url, post(token, 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }));
  assert.equal(form.status, 415);
  assert.match(((await form.json()) as { error: string }).error, /application\/octet-stream/);
  assert.equal((await fetch(`${url}?pages=many&colour=red`, post(token, 'x'))).status, 400);
  assert.equal((await fetch(url, post('', 'x'))).status, 401);
  assert.deepEqual(world.asked, []);
});

test('a service that refuses in the middle is heard although the client still sends', async () => {
  const refuse = async function* ({ requests }: Asked): AsyncGenerator<Message> {
    for await (const message of requests) {
      if (pieceOf(message).length > 0) break;
    }
    yield { bytes: 1 };
    throw new Failure({ code: 'RESOURCE_EXHAUSTED', reason: 'QUOTA_EXCEEDED', message: 'No room' });
  };
  await using world = await startWorld({ [SCAN]: refuse });
  const init = post(await world.token(), randomBytes(32 * MIB));
  const response = await fetch(`${world.url}/v1/books/dune/scan`, init);
  assert.equal(response.status, 429);
  assert.equal(((await response.json()) as { reason: string }).reason, 'QUOTA_EXCEEDED');
});

test('a service that reads nothing holds the sender back', async () => {
  let go = () => {};
  const wait = new Promise<void>((resolve) => {
    go = resolve;
  });
  await using world = await startWorld({
    [SCAN]: async function* (asked) {
      await wait;
      yield* readAll(asked);
    },
  });
  let offered = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (offered === 64) return controller.close();
        offered += 1;
        controller.enqueue(randomBytes(MIB));
      },
    },
    { highWaterMark: 1 },
  );
  const init = { ...post(await world.token(), body), duplex: 'half' as const };
  const answer = fetch(`${world.url}/v1/books/dune/scan`, init);
  let before = -1;
  let stillFor = 0;
  await eventually('the sender waits', () => {
    stillFor = offered > 0 && offered === before ? stillFor + 1 : 0;
    before = offered;
    return stillFor >= 20;
  });
  assert(offered < 32, `${offered} MiB were taken by nobody`);
  go();
  assert.equal((await answer).status, 201);
  assert.equal(offered, 64);
});

test('a client that leaves in the middle ends the call', async () => {
  let begun = 0;
  await using world = await startWorld({
    [SCAN]: async function* ({ requests }) {
      for await (const _ of requests) begun += 1;
      yield {};
    },
  });
  const { hostname, port } = new URL(world.url);
  const socket = connect(Number(port), hostname);
  const head = `POST /v1/books/dune/scan HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${await world.token()}\r\n`;
  socket.write(`${head}Content-Length: 1000000\r\n\r\n`);
  socket.write(randomBytes(1000));
  await eventually('the service reads', () => begun > 1);
  socket.destroy();
  await eventually('the service hears of it', () => world.asked[0]?.signal.aborted === true);
});

test('the documentation says that the body is a file', async () => {
  await using world = await startWorld({});
  type Document = { paths: Record<string, Record<string, Record<string, Record<string, unknown>>>> };
  const { paths } = (await (await fetch(`${world.url}/openapi.json`)).json()) as Document;
  const operation = paths['/v1/books/{name}/scan']?.post;
  assert.deepEqual(Object.keys(operation?.requestBody?.content ?? {}), ['application/octet-stream']);
  const parameters = (operation?.parameters ?? []) as unknown as { name: string; in: string }[];
  const query = parameters.filter((one) => one.in === 'query');
  assert.deepEqual(query.map(({ name }) => name).sort(), ['content_length', 'pages']);
});
