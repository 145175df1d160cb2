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

function form(parts: readonly (readonly [string, string | Blob])[]): FormData {
  const made = new FormData();
  for (const [name, value] of parts) {
    if (typeof value === 'string') made.append(name, value);
    else made.append(name, value, 'scan.pdf');
  }
  return made;
}

function postForm(
  token: string,
  body: RequestInit['body'],
  headers: Record<string, string> = {},
): RequestInit {
  return { method: 'POST', body, headers: { authorization: `Bearer ${token}`, ...headers } };
}

test('a browser sends a form: fields first, then the file, large or empty', async () => {
  await using world = await startWorld({ [SCAN]: readAll });
  const token = await world.token();
  const url = `${world.url}/v1/books/dune/scan`;
  for (const size of [5 * MIB, 1, 0]) {
    const parts = form([
      ['pages', '3'],
      ['file', new Blob([randomBytes(size)])],
    ]);
    const response = await fetch(url, postForm(token, parts, { accept: 'application/x-ndjson' }));
    assert.equal(response.status, 200);
    const lines = (await response.text()).trim().split('\n');
    const last = JSON.parse(lines.at(-1) ?? '') as { bytes: number; book: Record<string, unknown> };
    assert.deepEqual([last.bytes, last.book.name, last.book.pages, last.book.price], [size, 'dune', 3, 0]);
  }
});

test('a form that is not one, without a file or with wrong fields says so, and nothing is passed on', async () => {
  await using world = await startWorld({ [SCAN]: readAll });
  const token = await world.token();
  const url = `${world.url}/v1/books/dune/scan`;
  const file = new Blob(['a scan']);
  const refusal = async (init: RequestInit) => {
    const response = await fetch(url, init);
    assert.equal(response.status, 400);
    return (await response.json()) as { reason: string; error: string; details: { field: string }[] };
  };
  const fieldsOf = async (init: RequestInit) => (await refusal(init)).details.map(({ field }) => field);
  assert.deepEqual(await fieldsOf(postForm(token, form([['pages', '3']]))), ['file']);
  const wrong = form([
    ['pages', 'many'],
    ['colour', 'red'],
    ['file', file],
  ]);
  assert.deepEqual((await fieldsOf(postForm(token, wrong))).sort(), ['colour', 'pages']);
  const long = form([
    ['pages', '1'.repeat(70_000)],
    ['file', file],
  ]);
  assert.deepEqual(await fieldsOf(postForm(token, long)), ['pages']);
  for (const [type, body] of [
    ['multipart/form-data', 'no boundary'],
    ['multipart/form-data; boundary=x', 'no parts'],
    ['multipart/form-data; boundary=x', '--x\r\nContent-Disposition: form-data; name="pages"\r\n\r\n3'],
  ] as const) {
    const { reason, error } = await refusal(postForm(token, body, { 'content-type': type }));
    assert.equal(reason, 'MALFORMED_FORM', error);
  }
  assert.deepEqual(world.asked, []);
});

test('what comes after the file of a form, or a form that breaks off in it, ends the call', async () => {
  await using world = await startWorld({ [SCAN]: readAll });
  const token = await world.token();
  const url = `${world.url}/v1/books/dune/scan`;
  const file = new Blob(['a scan']);
  const late = form([
    ['file', file],
    ['pages', '3'],
    ['file', file],
  ]);
  const answer = await fetch(url, postForm(token, late));
  assert.equal(answer.status, 400);
  const { details } = (await answer.json()) as { details: { field: string; message: string }[] };
  assert.deepEqual(
    details.map(({ field, message }) => `${field} ${message}`),
    ['pages must come before the file', 'file must be one file'],
  );
  const broken = await fetch(url, postForm(token, `${FORM_HEAD}half a sc`, FORM));
  assert.equal(broken.status, 400);
  assert.equal(((await broken.json()) as { reason: string }).reason, 'MALFORMED_FORM');
  await eventually('the service hears of both', () => world.asked.every(({ signal }) => signal.aborted));
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
  const token = await world.token();
  const bytes = randomBytes(32 * MIB);
  for (const init of [post(token, bytes), postForm(token, form([['file', new Blob([bytes])]]))]) {
    const response = await fetch(`${world.url}/v1/books/dune/scan`, init);
    assert.equal(response.status, 429);
    assert.equal(((await response.json()) as { reason: string }).reason, 'QUOTA_EXCEEDED');
  }
});

const FORM = { 'content-type': 'multipart/form-data; boundary=x' };
const FORM_HEAD = '--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n';

for (const kind of ['body', 'form'] as const) {
  test(`a service that reads nothing holds the sender of a ${kind} back`, async () => {
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
    const isForm = kind === 'form';
    const body = new ReadableStream<Uint8Array>(
      {
        start(controller) {
          if (isForm) controller.enqueue(Buffer.from(FORM_HEAD));
        },
        pull(controller) {
          if (offered < 64) {
            offered += 1;
            return controller.enqueue(randomBytes(MIB));
          }
          if (isForm) controller.enqueue(Buffer.from('\r\n--x--\r\n'));
          controller.close();
        },
      },
      { highWaterMark: 1 },
    );
    const init = { ...post(await world.token(), body, isForm ? FORM : {}), duplex: 'half' as const };
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
}

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
  const content = operation?.requestBody?.content ?? {};
  assert.deepEqual(Object.keys(content), ['application/octet-stream', 'multipart/form-data']);
  const { schema } =
    (content as Record<string, { schema?: { properties: object } }>)['multipart/form-data'] ?? {};
  assert.deepEqual(Object.keys(schema?.properties ?? {}).sort(), ['content_length', 'file', 'pages']);
  const parameters = (operation?.parameters ?? []) as unknown as { name: string; in: string }[];
  const query = parameters.filter((one) => one.in === 'query');
  assert.deepEqual(query.map(({ name }) => name).sort(), ['content_length', 'pages']);
});
