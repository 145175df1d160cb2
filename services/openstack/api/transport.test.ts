// Sockets, bytes and certificates, against servers on loopback that behave as clouds and what stands before them do.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import type { CloudSettings } from './settings.ts';
import { failureOf, until } from './testing/fake-cloud.ts';
import { createTransport, type Exchange, NEVER_SENT } from './transport.ts';

const TLS = join(import.meta.dirname, 'testing/tls');
const tls = (file: string) => join(TLS, file);
const pem = (file: string) => readFileSync(tls(file), 'utf8');

async function listen(server: Server): Promise<AsyncDisposable & { readonly port: number }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function open(more: Partial<CloudSettings> = {}) {
  const transport = createTransport({
    authUrl: 'http://127.0.0.1',
    auth: { type: 'token', token: 'x' },
    interface: 'public',
    connectTimeoutMs: 2_000,
    requestTimeoutMs: 5_000,
    maxConnections: 8,
    ...more,
  });
  const get = (url: string, method: Exchange['method'] = 'GET') =>
    transport.exchange({
      service: 'nova',
      method,
      url,
      headers: {},
      what: 'list flavors',
      signal: AbortSignal.timeout(20_000),
    });
  return { get, [Symbol.dispose]: () => transport.close() };
}

test('one connection serves call after call, errors included', async () => {
  let connections = 0;
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/no' ? 404 : 200;
    response.end('{"some": "body"}');
  });
  server.on('connection', () => {
    connections += 1;
  });
  await using at = await listen(server);
  using client = open();
  for (const path of ['/', '/no', '/', '/no']) await client.get(`http://127.0.0.1:${at.port}${path}`);
  assert.equal(connections, 1);
});

for (const [what, reply] of [
  ['drips on for ever', (_, response) => void setInterval(() => response.write(' '), 20).unref()],
  ['sends headers and then nothing', (_, response) => response.writeHead(200).flushHeaders()],
] satisfies [string, RequestListener][]) {
  test(`an answer that ${what} is given up when its time is over`, async () => {
    await using at = await listen(createServer(reply));
    using client = open({ requestTimeoutMs: 150 });
    const failure = await failureOf(client.get(`http://127.0.0.1:${at.port}/`));
    assert.equal(failure.reason, 'CLOUD_TIMEOUT');
  });
}

test('an answer that ends before its end is no answer', async () => {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-length': 1_000 });
    response.write('{"flavors": [', () => response.destroy());
  });
  await using at = await listen(server);
  using client = open();
  const failure = await failureOf(client.get(`http://127.0.0.1:${at.port}/`));
  assert.equal(failure.reason, 'CLOUD_UNREACHABLE');
  assert.equal(failure.retryable, true);
});

test('an answer that is too large is cut off while it comes, and its connection closed', async () => {
  let sent = 0;
  let isClosed = false;
  const server = createServer((_, response) => {
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(65_536))) sent += 65_536;
    };
    response.on('drain', more).on('close', () => {
      isClosed = true;
    });
    more();
  });
  await using at = await listen(server);
  using client = open({ maxResponseBytes: 1_000_000 });
  const failure = await failureOf(client.get(`http://127.0.0.1:${at.port}/`));
  assert.match(failure.message, /larger than 1000000 bytes/);
  await until(() => isClosed, 'the connection is closed');
  assert.ok(sent < 50_000_000, `${sent} bytes were read`);
});

test('what never was sent says so, so that even a creation may be sent again', async () => {
  using client = open();
  const failure = await failureOf(client.get('http://127.0.0.1:1/', 'POST'));
  assert.equal(failure.metadata.sent, NEVER_SENT);
});

test('a certificate is trusted only if its authority is, and its host is the one called', async () => {
  const server = createTlsServer({ key: pem('server.key'), cert: pem('server.pem') }, (_, response) =>
    response.end('{}'),
  );
  await using at = await listen(server);
  const right = `https://127.0.0.1:${at.port}/`;
  using plain = open();
  using trusting = open({ caFile: tls('ca.pem') });
  using careless = open({ insecure: true });
  const unknown = await failureOf(plain.get(right));
  assert.deepEqual([unknown.reason, unknown.retryable], ['CLOUD_UNTRUSTED', false]);
  assert.match(unknown.message, /OPENSTACK_CACERT/);
  assert.equal((await trusting.get(right)).status, 200);
  const otherHost = await failureOf(trusting.get(`https://localhost:${at.port}/`));
  assert.equal(otherHost.reason, 'CLOUD_UNTRUSTED');
  assert.equal((await careless.get(right)).status, 200);
});

test('a client certificate is shown to a service that asks for one', async () => {
  const options = {
    key: pem('server.key'),
    cert: pem('server.pem'),
    ca: pem('ca.pem'),
    requestCert: true,
    rejectUnauthorized: true,
  };
  const server = createTlsServer(options, (request, response) =>
    response.end(JSON.stringify((request.socket as TLSSocket).getPeerCertificate().subject)),
  );
  await using at = await listen(server);
  const url = `https://127.0.0.1:${at.port}/`;
  using shown = open({ caFile: tls('ca.pem'), certFile: tls('client.pem'), keyFile: tls('client.key') });
  assert.match((await shown.get(url)).body, /client of the tests/);
  using silent = open({ caFile: tls('ca.pem') });
  assert.equal((await failureOf(silent.get(url))).code, 'UNAVAILABLE');
});
