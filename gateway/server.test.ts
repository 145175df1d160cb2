import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { UpstreamConfig } from './config.ts';
import { eventually, startHttp, startWorld } from './testing/world.ts';

const SLICES = '/pucp.slice.v1.SliceService/ListSlices';
const BOOKS = '/testing.library.v1.LibraryService/ListBooks';

function upstreamsAt(url: string): UpstreamConfig[] {
  const packages = ['pucp.auth.v1', 'pucp.slice.v1', 'pucp.openstack.v1', 'testing.library.v1'];
  return packages.map((packageName) => ({ name: packageName.split('.')[1] ?? '', packageName, url }));
}

test('health says that the gateway lives, and where and how the services are', async () => {
  await using world = await startWorld({});
  const ask = async () => (await fetch(`${world.url}/health`)).json() as Promise<Record<string, unknown>>;
  const body = await ask();
  assert.equal(body.status, 'healthy');
  assert.equal(body.service, 'api-gateway');
  assert(Date.parse(String(body.timestamp)) > 0);
  assert.deepEqual(Object.keys(body.services as object), ['auth', 'slice', 'openstack', 'library']);
  await eventually('the services are reachable', async () => {
    const { service_status: status } = await ask();
    return Object.values(status as object).every((state) => state === 'reachable');
  });
  assert.equal((await fetch(`${world.url}/ready`)).status, 200);
});

test('with no service to be reached the gateway lives, but is not ready', async () => {
  await using world = await startWorld({}, { upstreams: upstreamsAt('http://127.0.0.1:1') });
  assert.equal((await fetch(`${world.url}/health`)).status, 200);
  assert.equal((await fetch(`${world.url}/ready`)).status, 503);
});

test('health of OpenStack is what the openstack service and its cloud say', async () => {
  const ask = async (status: number, report: unknown) => {
    await using http = await startHttp(status, report);
    await using world = await startWorld({}, { upstreams: upstreamsAt(http.url) });
    const response = await fetch(`${world.url}/health/openstack`);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const good = { status: 'healthy', service: 'openstack', cloud: { reachable: true } };
  assert.deepEqual(await ask(200, good), {
    status: 200,
    body: { status: 'healthy', openstack_service: good },
  });
  const away = await ask(200, { status: 'healthy', cloud: { reachable: false, error: 'Keystone is down' } });
  assert.equal(away.status, 503);
  assert.equal(away.body.status, 'unhealthy');
  assert.match(String(away.body.error), /OpenStack does not answer it: Keystone is down/);
  const broken = await ask(500, {});
  assert.equal(broken.status, 503);
  assert.equal(broken.body.status, 'unhealthy');
});

test('health of OpenStack says "unreachable" when its service is away', async () => {
  await using world = await startWorld({}, { upstreams: upstreamsAt('http://127.0.0.1:1') });
  const response = await fetch(`${world.url}/health/openstack`);
  assert.equal(response.status, 503);
  const body = (await response.json()) as Record<string, unknown>;
  assert.equal(body.status, 'unreachable');
  assert.equal(typeof body.error, 'string');
});

test('metrics count requests by route, not by address', async () => {
  await using world = await startWorld({ '/pucp.slice.v1.SliceService/GetSlice': () => ({}) });
  const headers = { authorization: `Bearer ${await world.token()}` };
  await (await fetch(`${world.url}/api/slices/7`, { headers })).text();
  await (await fetch(`${world.url}/api/slices/8`, { headers })).text();
  await (await fetch(`${world.url}/nothing/here`)).text();
  const text = await (await fetch(`${world.url}/metrics`)).text();
  assert.match(
    text,
    /http_server_seconds_count\{.*route="\/api\/slices\/\{id\}",method="GET",status="200".*\} 2/,
  );
  assert.doesNotMatch(text, /nothing/);
});

test('a long list comes in pages, and each names the next', async () => {
  await using world = await startWorld({
    [BOOKS]: ({ request }) =>
      request.page_token === 'p=2' ? { books: [{}] } : { books: [{}, {}], next_page_token: 'p=2' },
  });
  const first = await fetch(`${world.url}/v1/books?page_size=2&filter.shelf=a%20b`);
  assert.equal(first.headers.get('x-next-page-token'), 'p=2');
  const link = /^<([^>]+)>; rel="next"$/.exec(first.headers.get('link') ?? '')?.[1];
  assert.equal(link, '/v1/books?page_size=2&filter.shelf=a+b&page_token=p%3D2');
  const last = await fetch(world.url + link);
  assert.equal(((await last.json()) as unknown[]).length, 1);
  assert.equal(last.headers.has('link'), false);
  assert.equal(last.headers.has('x-next-page-token'), false);
  assert.deepEqual(world.asked[1]?.request.filter, { shelf: 'a b' });
});

test('pages of this machine may call, pages from elsewhere only if they are listed', async () => {
  const ask = async (changes: Parameters<typeof startWorld>[1], origin: string) => {
    await using world = await startWorld({ [SLICES]: () => ({}) }, changes);
    const preflight = await fetch(`${world.url}/api/slices`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    });
    assert.equal(preflight.status, 204);
    const actual = await fetch(`${world.url}/api/slices`, { headers: { origin } });
    const allowed = actual.headers.get('access-control-allow-origin');
    assert.equal(preflight.headers.get('access-control-allow-origin'), allowed);
    if (allowed) {
      assert.match(preflight.headers.get('access-control-allow-methods') ?? '', /POST.*DELETE/);
      assert.equal(preflight.headers.get('access-control-allow-headers'), 'authorization,content-type');
      assert.match(actual.headers.get('access-control-expose-headers') ?? '', /X-Request-ID/);
    }
    return allowed;
  };
  const lab = 'https://lab.example.org';
  assert.equal(await ask({}, 'http://localhost:8080'), 'http://localhost:8080');
  assert.equal(await ask({ allowsLocalOrigins: false }, 'http://localhost:8080'), null);
  assert.equal(await ask({}, lab), null);
  assert.equal(await ask({ corsOrigins: [lab] }, lab), lab);
  assert.equal(await ask({ corsOrigins: [lab] }, 'https://lab.example.org.evil.test'), null);
});

test('every answer carries the headers that keep browsers careful', async () => {
  await using world = await startWorld({});
  for (const path of ['/health', '/docs/', '/nope', '/api/slices']) {
    const { headers } = await fetch(world.url + path);
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
    assert.match(headers.get('content-security-policy') ?? '', /script-src 'self';/);
    assert.doesNotMatch(headers.get('content-security-policy') ?? '', /upgrade-insecure-requests/);
    assert(headers.get('x-request-id'), path);
  }
});

test('the documentation page needs no script within the page and nothing from elsewhere', async () => {
  await using world = await startWorld({});
  const page = await fetch(`${world.url}/docs`);
  assert.equal(page.url, `${world.url}/docs/`);
  const html = await page.text();
  const scripts = [...html.matchAll(/<script([^>]*)>([^<]*)<\/script>/g)];
  assert(scripts.length > 0);
  assert(scripts.every(([, , inside]) => inside?.trim() === ''));
  const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file = '']) => file);
  for (const file of files) {
    const response = await fetch(new URL(file, page.url));
    assert.equal(response.status, 200, file);
    assert(response.url.startsWith(world.url), file);
    await response.arrayBuffer();
  }
  const initializer = await (await fetch(`${world.url}/docs/swagger-initializer.js`)).text();
  assert.match(initializer, /url: '\.\.\/openapi\.json'/);
  assert.equal((await fetch(`${world.url}/docs/../openapi.json`)).status, 200);
});

test('what is no HTTP, or has endless headers, is answered in the same shape', async () => {
  await using world = await startWorld({});
  const send = async (text: string) => {
    const { hostname, port } = new URL(world.url);
    const socket = connect(Number(port), hostname, () => socket.write(text));
    const answer = (await socket.setEncoding('utf8').toArray()).join('');
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    return [head.split('\r\n')[0], (JSON.parse(body) as { reason: string }).reason];
  };
  assert.deepEqual(await send('hello\r\n\r\n'), ['HTTP/1.1 400 Bad Request', 'MALFORMED_HTTP']);
  assert.deepEqual(await send(`GET /${'x'.repeat(70_000)} HTTP/1.1\r\nhost: a\r\n\r\n`), [
    'HTTP/1.1 431 Request Header Fields Too Large',
    'HEADERS_TOO_LARGE',
  ]);
});

test('a service that starts after the gateway is found by the next request', async () => {
  const spare = await startHttp(200, {});
  const { url } = spare;
  await spare[Symbol.asyncDispose]();
  await using world = await startWorld({}, { upstreams: upstreamsAt(url) });
  const headers = { authorization: `Bearer ${await world.token()}` };
  assert.equal((await fetch(`${world.url}/api/slices`, { headers })).status, 503);
  await using _late = await startWorld({ [SLICES]: () => ({}) }, {}, Number(new URL(url).port));
  assert.equal((await fetch(`${world.url}/api/slices`, { headers })).status, 200);
});
