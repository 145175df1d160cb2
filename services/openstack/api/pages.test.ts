import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  context,
  type FakeCloud,
  type FakeRequest,
  failureOf,
  startFakeCloud,
} from './testing/fake-cloud.ts';

const wrongHost = 'http://10.0.0.1:1';

/** Answers with the items after the marker, two at a time; `link` writes the way to the next page. */
function paged(key: string, ids: () => readonly string[], link: (query: string) => object) {
  return ({ query }: FakeRequest) => {
    const marker = query.get('marker');
    const at = marker === null ? 0 : ids().indexOf(marker) + 1;
    if (marker !== null && at === 0)
      return { status: 400, json: { badRequest: { message: `marker [${marker}] not found` } } };
    const items = ids().slice(at, at + 2);
    const last = items.at(-1);
    const hasMore = last !== undefined && at + 2 < ids().length;
    return {
      json: { [key]: items.map((id) => ({ id })), ...(hasMore ? link(`?limit=2&marker=${last}`) : {}) },
    };
  };
}

const rel = (key: string) => (query: string) => ({
  [`${key}_links`]: [
    { rel: 'previous', href: `${wrongHost}/x?marker=no` },
    { rel: 'next', href: `${wrongHost}/v2.1/${key}${query}` },
  ],
});

const five = ['a', 'b', 'c', 'd', 'e'];
const servers = '/compute/v2.1/servers/detail';
const ids = (items: readonly { id: string }[]) => items.map((item) => item.id);

test('the pages of every service are put together, on the address chosen and not the one in the links', async () => {
  await using fake = await startFakeCloud();
  fake.on(
    'GET',
    servers,
    paged('servers', () => five, rel('servers')),
  );
  fake.on(
    'GET',
    '/volume/v3/home-id/volumes/detail',
    paged('volumes', () => five, rel('volumes')),
  );
  fake.on(
    'GET',
    '/network/v2.0/ports',
    paged('ports', () => five, rel('ports')),
  );
  fake.on(
    'GET',
    '/image/v2/images',
    paged(
      'images',
      () => five,
      (query) => ({ next: `/v2/images${query}` }),
    ),
  );
  fake.on(
    'GET',
    '/identity/v3/projects',
    paged(
      'projects',
      () => five,
      (query) => ({ links: { next: `${wrongHost}/v3/projects${query}`, self: 'x' } }),
    ),
  );
  const { nova, cinder, neutron, glance, keystone } = fake.cloud.project('home');
  assert.deepEqual(ids(await nova.listServers({}, context())), five);
  assert.deepEqual(ids(await cinder.listVolumes({}, context())), five);
  assert.deepEqual(ids(await neutron.ports.list({}, context())), five);
  assert.deepEqual(ids(await glance.listImages({}, context())), five);
  assert.deepEqual(ids(await keystone.listProjects({}, context())), five);
});

test('pages that lead in a circle end in an error, not never', async () => {
  await using fake = await startFakeCloud();
  fake.on('GET', servers, {
    json: { servers: [{ id: 'a' }], servers_links: [{ rel: 'next', href: `${wrongHost}/s?marker=a` }] },
  });
  const failure = await failureOf(fake.cloud.project('home').nova.listServers({}, context()));
  assert.match(failure.message, /circle/);
});

test('an empty page ends the list even if it links on', async () => {
  await using fake = await startFakeCloud();
  fake.on('GET', servers, {
    json: { servers: [], servers_links: [{ rel: 'next', href: `${wrongHost}/s?marker=a` }] },
  });
  assert.deepEqual(await fake.cloud.project('home').nova.listServers({}, context()), []);
});

test('a list that Keystone cut short is not taken for the whole', async () => {
  await using fake = await startFakeCloud();
  fake.on('GET', '/identity/v3/projects', {
    json: { projects: [{ id: 'a' }], links: { next: null }, truncated: true },
  });
  const failure = await failureOf(fake.cloud.project('home').keystone.listProjects({}, context()));
  assert.equal(failure.reason, 'LIST_TRUNCATED');
  assert.match(failure.message, /list_limit/);
});

test('a list goes on when the server that a page starts after is deleted meanwhile', async () => {
  await using fake = await startFakeCloud();
  let left = five;
  const answer = paged('servers', () => left, rel('servers'));
  fake.on('GET', servers, (request) => {
    if (request.query.get('marker') === 'b') left = ['a', 'c', 'd', 'e'];
    return answer(request);
  });
  const listed = ids(await fake.cloud.project('home').nova.listServers({}, context()));
  assert.deepEqual(listed, five);
});

test('a list whose markers vanish for ever is given up', async () => {
  await using fake = await startFakeCloud();
  listThatBreaks(fake);
  const failure = await failureOf(fake.cloud.project('home').nova.listServers({}, context()));
  assert.equal(failure.reason, 'CLOUD_REFUSED');
});

function listThatBreaks(fake: FakeCloud): void {
  fake.on('GET', servers, ({ query }) =>
    query.has('marker')
      ? { status: 400, json: { badRequest: { message: 'marker [a] not found' } } }
      : { json: { servers: [{ id: 'a' }], servers_links: [{ rel: 'next', href: '/s?marker=a' }] } },
  );
}

test('a single page tells where the next one begins', async () => {
  await using fake = await startFakeCloud();
  fake.on(
    'GET',
    servers,
    paged('servers', () => five, rel('servers')),
  );
  const { nova } = fake.cloud.project('home');
  const first = await nova.pageServers({ page: { limit: 2 } }, context());
  assert.deepEqual([ids(first.items), first.nextMarker], [['a', 'b'], 'b']);
  const last = await nova.pageServers({ page: { limit: 2, marker: 'd' } }, context());
  assert.deepEqual([ids(last.items), last.nextMarker], [['e'], undefined]);
});
