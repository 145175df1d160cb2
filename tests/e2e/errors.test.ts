// What a user meets who does something wrong, or whose cloud is dead: the right status and a sentence that helps.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Api, type Json, signIn, slice } from '../support/api.ts';
import { type Mesh, removeMesh, startMesh, until } from '../support/mesh.ts';

describe('a mesh on the sandbox', () => {
  let mesh: Mesh;
  let user: Api;
  let admin: Api;
  let other: Api;

  before(async () => {
    mesh = await startMesh();
    user = await signIn(mesh.gateway, 'testuser', 'testpass123');
    admin = await signIn(mesh.gateway, 'admin', 'admin123');
    const account = { username: 'other', password: 'other123', email: 'other@example.edu' };
    const registered = await user.send('POST', '/api/auth/register', account);
    assert.equal(registered.status, 201);
    other = await signIn(mesh.gateway, 'other', 'other123');
  });
  after(() => removeMesh(mesh));

  async function refused(response: Response, status: number, code: string, words: RegExp): Promise<Json> {
    const body = (await response.json()) as Json;
    assert.equal(response.status, status, JSON.stringify(body));
    assert.equal(body.code, code);
    assert.match(body.error, words);
    assert.equal(body.request_id, response.headers.get('x-request-id'));
    return body;
  }

  test('no token, a broken one and an unknown user are refused as 401', async () => {
    const bare = await fetch(`${mesh.gateway}/api/slices`);
    assert.match(bare.headers.get('www-authenticate') ?? '', /^Bearer/);
    await refused(bare, 401, 'UNAUTHENTICATED', /authorization/i);
    const broken = await fetch(`${mesh.gateway}/api/slices`, { headers: { authorization: 'Bearer x.y.z' } });
    await refused(broken, 401, 'UNAUTHENTICATED', /token/i);
    const login = await user.send('POST', '/api/auth/login', { username: 'nobody', password: 'wrong1' });
    await refused(login, 401, 'UNAUTHENTICATED', /Invalid credentials/);
  });

  test('someone else’s slice and server do not exist', async () => {
    const { id } = await user.json('POST', '/api/slices', slice('mine'));
    const found = await until(
      () => user.json('GET', `/api/slices/${id}`),
      ({ status }) => status === 'active',
    );
    const vm = found.nodes[0].vm_id;
    for (const [method, path] of [
      ['GET', `/api/slices/${id}`],
      ['DELETE', `/api/slices/${id}`],
      ['POST', `/api/slices/${id}/stop`],
      ['GET', `/api/slices/${id}/events?follow=false`],
      ['GET', `/api/openstack/instances/${vm}`],
      ['DELETE', `/api/openstack/instances/${vm}`],
    ] as const) {
      const response = await other.send(method, path);
      assert.equal(response.status, 404, `${method} ${path}: ${await response.text()}`);
    }
    assert.deepEqual(await other.list('GET', '/api/slices'), []);
    assert.equal((await admin.json('GET', `/api/slices/${id}`)).id, id);
    await user.json('DELETE', `/api/slices/${id}`);
    await until(
      () => user.list('GET', '/api/slices'),
      (left) => left.length === 0,
    );
  });

  test('malformed JSON, unknown fields, wrong types and oversized bodies are told apart', async () => {
    const post = (body: string, type = 'application/json') =>
      fetch(`${mesh.gateway}/api/slices`, {
        method: 'POST',
        headers: { authorization: `Bearer ${user.token}`, 'content-type': type },
        body,
      });
    await refused(await post('{"name": '), 400, 'INVALID_ARGUMENT', /JSON/);
    await refused(await post('{"nam": "x"}'), 400, 'INVALID_ARGUMENT', /nam.*name/s);
    await refused(await post('{"name": 5}'), 400, 'INVALID_ARGUMENT', /name/);
    const large = await post(JSON.stringify({ name: 'x'.repeat(3 << 20) }));
    assert.equal(large.status, 413);
    assert.equal((await post('name=x', 'application/x-www-form-urlencoded')).status, 415);
  });

  test('all mistakes of a slice come at once, each with its field, and nothing is stored', async () => {
    const wrong = {
      name: 'wrong',
      infrastructure: 'openstack',
      nodes: [
        { name: 'vm1', image: 'no-such-image', flavor: 'small', networks: ['nowhere'] },
        { name: 'vm1', image: 'ubuntu-20.04', flavor: 'no-such-flavor' },
      ],
      networks: [
        { name: 'net1', cidr: '10.0.0.1/8' },
        { name: 'net2', cidr: '10.1.0.0/16' },
      ],
    };
    const body = await refused(await user.send('POST', '/api/slices', wrong), 400, 'INVALID_ARGUMENT', /vm1/);
    const named = body.details.map(({ field }: { field: string }) => field);
    for (const field of ['nodes[1].name', 'nodes[0].networks[0]', 'networks[0].cidr']) {
      assert(
        named.some((name: string) => name.startsWith(field)),
        `${field} in ${named}`,
      );
    }
    const unknown = { ...slice('unknown'), nodes: [{ name: 'a', image: 'nope', flavor: 'nix' }] };
    const names = await refused(
      await user.send('POST', '/api/slices', unknown),
      400,
      'INVALID_ARGUMENT',
      /small/,
    );
    assert.deepEqual(names.details.map(({ field }: { field: string }) => field).sort(), [
      'nodes[0].flavor',
      'nodes[0].image',
    ]);
    assert.match(names.error, /ubuntu-20\.04/);
    assert.deepEqual(await user.list('GET', '/api/slices'), []);
  });

  test('linux and hybrid are understood, and answered with what is missing', async () => {
    for (const infrastructure of ['linux', 'hybrid']) {
      const nodes = [
        {
          name: 'a',
          image: 'ubuntu-20.04',
          flavor: 'small',
          ...(infrastructure === 'hybrid' ? { infrastructure: 'linux' } : {}),
        },
      ];
      const response = await user.send('POST', '/api/slices', {
        ...slice('elsewhere'),
        infrastructure,
        nodes,
      });
      await refused(response, 400, 'FAILED_PRECONDITION', /no linux driver is configured/);
    }
  });

  test('only admins list users', async () => {
    await refused(await user.send('GET', '/api/auth/users'), 403, 'PERMISSION_DENIED', /admin/);
    assert.equal((await admin.list('GET', '/api/auth/users')).length, 3);
  });

  test('a path that does not exist is 404, a method that does not is 405', async () => {
    await refused(await user.send('GET', '/api/nothing'), 404, 'NOT_FOUND', /not found/i);
    const response = await user.send('PUT', '/api/resources', {});
    assert.equal(response.status, 405);
    assert.match(response.headers.get('allow') ?? '', /GET/);
  });

  test('a token is void after logout', async () => {
    const leaving = await signIn(mesh.gateway, 'testuser', 'testpass123');
    await leaving.json('POST', '/api/auth/logout');
    await until(
      async () => (await leaving.send('GET', '/api/slices')).status,
      (status) => status === 401,
    );
  });

  test('the OpenAPI page describes what is served', async () => {
    const document = await user.json('GET', '/openapi.json');
    assert.equal(document.openapi.slice(0, 3), '3.1');
    for (const path of [
      '/api/slices',
      '/api/slices/{id}/events',
      '/api/openstack/deploy-slice',
      '/api/auth/login',
    ]) {
      assert(document.paths[path], path);
    }
    assert.equal((await fetch(`${mesh.gateway}/docs`)).status, 200);
  });
});

test('a dead OpenStack is named as such, with a time to try again, and stops nothing else', async () => {
  const mesh = await startMesh({
    env: {
      OPENSTACK_AUTH_URL: 'http://127.0.0.1:9/v3',
      OPENSTACK_USERNAME: 'admin',
      OPENSTACK_PASSWORD: 'secret',
      OPENSTACK_PROJECT_NAME: 'admin',
      ADMIN_PASSWORD: 'first-admin-1',
    },
  });
  try {
    const demo = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"username":"admin","password":"admin123"}',
    };
    assert.equal(
      (await fetch(`${mesh.gateway}/api/auth/login`, demo)).status,
      401,
      'no demo users on a real cloud',
    );
    const admin = await signIn(mesh.gateway, 'admin', 'first-admin-1');
    assert.deepEqual(await admin.list('GET', '/api/slices'), []);
    for (let call = 0; call < 7; call++) {
      const response = await admin.send('GET', '/api/openstack/flavors');
      const body = (await response.json()) as Json;
      assert.equal(response.status, 503, JSON.stringify(body));
      assert.match(body.error, /keystone|OpenStack/i);
      assert.match(response.headers.get('retry-after') ?? '', /^\d+$/);
    }
    const health = await fetch(`${mesh.gateway}/health/openstack`);
    assert.equal(health.status, 503);
    const created = await admin.send('POST', '/api/slices', slice('waiting'));
    assert.equal(created.status, 503, await created.text());
    assert.deepEqual(await admin.list('GET', '/api/slices'), [], 'nothing is half made');
  } finally {
    await removeMesh(mesh);
  }
});
