import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { Sandbox } from './server.ts';
import { type Answer, logIn, type Session, start } from './testing.ts';

type Page = Answer['body'];

let sandbox: Sandbox;
let admin: Session;
let demo: Session;

const OCTETS = { 'content-type': 'application/octet-stream' };
const PATCH = { 'content-type': 'application/openstack-images-v2.1-json-patch' };

before(async () => {
  sandbox = await start();
  admin = await logIn(sandbox);
  demo = await logIn(sandbox, 'demo', 'demo');
});
after(() => sandbox.close());

test('an image is made, filled, checked and read back', async () => {
  const wish = { name: 'mine', disk_format: 'raw', container_format: 'bare', os_distro: 'alpine' };
  const made = await demo.call('POST', 'image', '/images', wish);
  assert.equal(made.status, 201);
  assert.equal(made.body.status, 'queued');
  const path = `/images/${made.body.id}`;
  assert.equal((await demo.call('PUT', 'image', `${path}/file`, 'hello', OCTETS)).status, 204);
  const image = (await demo.call('GET', 'image', path)).body;
  assert.equal(image.status, 'active');
  assert.equal(image.size, 5);
  assert.equal(image.checksum, createHash('md5').update('hello').digest('hex'));
  assert.equal(image.os_hash_value, createHash('sha512').update('hello').digest('hex'));
  assert.equal((await demo.call('GET', 'image', `${path}/file`)).text, 'hello');
  assert.equal((await demo.call('PUT', 'image', `${path}/file`, 'again', OCTETS)).status, 409);
});

test('an image is changed by a patch, made public by admins only, and protected from deletion', async () => {
  const { id } = (await demo.call('POST', 'image', '/images', { name: 'patched' })).body;
  const patch = (operations: object[], session = demo) =>
    session.call('PATCH', 'image', `/images/${id}`, operations, PATCH);
  const changed = await patch([
    { op: 'replace', path: '/name', value: 'renamed' },
    { op: 'add', path: '/color', value: 'blue' },
    { op: 'replace', path: '/protected', value: true },
  ]);
  assert.deepEqual([changed.body.name, changed.body.color], ['renamed', 'blue']);
  assert.equal((await demo.call('DELETE', 'image', `/images/${id}`)).status, 403);
  assert.equal((await patch([{ op: 'replace', path: '/visibility', value: 'public' }])).status, 403);
  assert.equal((await patch([{ op: 'replace', path: '/visibility', value: 'public' }], admin)).status, 200);
  assert.equal((await patch([{ op: 'remove', path: '/nothing' }])).status, 409);
  assert.equal((await patch([{ op: 'replace', path: '/protected', value: false }])).status, 200);
  assert.equal((await demo.call('DELETE', 'image', `/images/${id}`)).status, 204);
  assert.equal((await demo.call('GET', 'image', `/images/${id}`)).status, 404);
});

test('a private image is seen by its project alone', async () => {
  const { id } = (await admin.call('POST', 'image', '/images', { name: 'secret', visibility: 'private' }))
    .body;
  assert.equal((await demo.call('GET', 'image', `/images/${id}`)).status, 404);
  assert.equal((await demo.call('GET', 'image', '/images?name=secret')).body.images.length, 0);
});

test('images come page by page, the next page named in the answer', async () => {
  const seen: string[] = [];
  let path: string | undefined = '/images?limit=2&sort=name:asc&visibility=public';
  while (path) {
    const page: Page = (await demo.call('GET', 'image', path)).body;
    seen.push(...page.images.map((image: { name: string }) => image.name));
    path = page.next?.replace(/^\/v2/, '');
  }
  assert.deepEqual(seen, [...seen].sort());
  assert.ok(seen.length >= 6);
});

test('an image list with parameters that mean nothing is a 400', async () => {
  const queries = ['sort=name:up', 'sort=name&sort_key=name', 'size_min=x', 'created_at=x', 'protected=x'];
  for (const query of queries) {
    const answer = await demo.call('GET', 'image', `/images?${query}`);
    assert.equal(answer.status, 400, query);
  }
});
