// What happened to a slice, as its user follows and reads it: over REST in three ways, over gRPC, and across processes
// that are killed meanwhile.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect } from '#common/rpc-client.ts';
import {
  SliceEventType,
  type SliceServiceServer,
  SliceServiceService,
} from '#proto/pucp/slice/v1/slice_service.ts';
import { type Api, type Json, signIn, slice } from '../support/api.ts';
import { type Mesh, removeMesh, startMesh, until } from '../support/mesh.ts';

let mesh: Mesh;
let user: Api;
let other: Api;
before(async () => {
  mesh = await startMesh();
  user = await signIn(mesh.gateway, 'testuser', 'testpass123');
  const account = { username: 'other', password: 'other123', email: 'other@example.edu' };
  assert.equal((await user.send('POST', '/api/auth/register', account)).status, 201);
  other = await signIn(mesh.gateway, 'other', 'other123');
});
after(() => removeMesh(mesh));

type Heard = { readonly id: number; readonly json: Json };

/** Reads server-sent events until the stream ends or `isEnough`; what breaks off is an end like any other. */
async function listen(
  id: string,
  lastId: number | undefined,
  isEnough: (heard: Heard) => boolean,
): Promise<Heard[]> {
  const headers: Record<string, string> = {
    authorization: `Bearer ${user.token}`,
    accept: 'text/event-stream',
  };
  if (lastId !== undefined) headers['last-event-id'] = String(lastId);
  const leave = new AbortController();
  const heard: Heard[] = [];
  try {
    const response = await fetch(`${mesh.gateway}/api/slices/${id}/events`, {
      headers,
      signal: leave.signal,
    });
    let text = '';
    if (!response.ok || !response.body) return heard;
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + chunk).split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const [, eventId, data] = /^id: (\d+)\nevent: message\ndata: (.*)$/.exec(block) ?? [];
        if (data === undefined) continue;
        const one = { id: Number(eventId), json: JSON.parse(data) };
        heard.push(one);
        if (isEnough(one)) leave.abort();
      }
    }
  } catch {
    // The gateway was killed, or has not come back yet.
  }
  return heard;
}

test('a page follows a deployment from a snapshot to its end, though slice service and gateway are killed', async () => {
  const { id } = await user.json('POST', '/api/slices', slice('followed', 5));
  const isActive = ({ json }: Heard) => json.type !== 'snapshot' && json.status === 'active';
  const kills = ['slice', 'gateway'];
  const heard: Heard[] = [];
  await until(
    async () => {
      heard.push(
        ...(await listen(id, heard.at(-1)?.id, (one) => {
          // In the middle of each of the first streams, once something has been heard.
          const victim = kills.shift();
          if (victim) mesh.killService(victim);
          return isActive(one);
        })),
      );
      return heard;
    },
    (all) => all.some(isActive),
  );
  const [snapshot, ...events] = heard;
  assert.equal(snapshot?.json.type, 'snapshot');
  assert.equal(snapshot.json.slice.id, id);
  assert.equal(snapshot.json.slice.nodes.length, 5);
  assert.deepEqual(
    events.map((event) => event.id),
    events.map((_, index) => snapshot.id + 1 + index),
    'every event once, in order, without gaps',
  );
  const percents = heard.map(({ json }) => json.percent);
  assert.deepEqual(
    percents,
    percents.toSorted((a, b) => a - b),
  );
  assert.equal(percents.at(-1), 100);
  assert.deepEqual(kills, []);
  await untilBack();
  await remove(id);
});

test('lines, server-sent events and gRPC begin with the same snapshot, and without following tell the past', async () => {
  const { id } = await user.json('POST', '/api/slices', { ...slice('drafted'), deploy: false });
  const leave = new AbortController();
  const headers = { authorization: `Bearer ${user.token}` };
  const lines = await fetch(`${mesh.gateway}/api/slices/${id}/events`, { headers, signal: leave.signal });
  const read = lines.body?.pipeThrough(new TextDecoderStream()).getReader();
  const line = JSON.parse((await read?.read())?.value ?? '');
  leave.abort();
  const [event] = await listen(id, undefined, () => true);
  const client = connect<SliceServiceServer>(
    SliceServiceService,
    `http://127.0.0.1:${mesh.ports.SLICE_PORT}`,
  );
  try {
    for await (const first of client.watchSlice({ id }, { token: user.token })) {
      assert.equal(first.type, SliceEventType.SNAPSHOT);
      assert.equal(first.slice?.name, 'drafted');
      assert.equal(first.sequence, line.sequence);
      break;
    }
  } finally {
    client.close();
  }
  assert.deepEqual({ ...line, time: '' }, { ...event?.json, time: '' });
  assert.equal(line.slice.status, 'draft');
  const past = await user.send('GET', `/api/slices/${id}/events?follow=false`);
  assert.deepEqual(
    (await past.text())
      .trim()
      .split('\n')
      .map((one) => JSON.parse(one).type),
    ['state'],
  );
  await remove(id);
});

test('the journal, the history and the resources of a slice are read in pages, and the past outlives the slice', async () => {
  const { id } = await user.json('POST', '/api/slices', slice('recorded', 2));
  await until(
    () => user.json('GET', `/api/slices/${id}`),
    ({ status }) => status === 'active',
  );
  const resources = await user.list('GET', `/api/slices/${id}/resources`);
  assert.deepEqual(
    resources.map(({ kind, state }) => `${kind} ${state}`),
    ['network ready', 'subnet ready', 'port ready', 'port ready', 'server ready', 'server ready'],
  );
  assert.ok(resources.every(({ cloud_id, since }) => cloud_id !== '' && since));
  await remove(id);
  assert.equal((await user.send('GET', `/api/slices/${id}/resources`)).status, 404);

  const steps = await pages(`/api/slices/${id}/journal?page_size=7`);
  assertLegal(steps);
  const made = steps.filter(({ phase, step }) => phase === 'begin' && step.startsWith('create '));
  assert.equal(made.length, resources.length);
  assert.ok(steps.filter(({ phase }) => phase === 'done').every(({ cloud_id }) => cloud_id !== ''));
  assert.deepEqual(
    await pages(`/api/slices/${id}/journal?page_size=7&newest_first=true`),
    steps.toReversed(),
  );

  const events = await pages(`/api/slices/${id}/history?page_size=4`);
  assert.deepEqual(
    events.map(({ sequence }) => sequence),
    events.map((_, index) => index + 1),
  );
  assert.deepEqual(
    await pages(`/api/slices/${id}/history?page_size=4&newest_first=true`),
    events.toReversed(),
  );
  const states = await pages(`/api/slices/${id}/history?type=state`);
  assert.deepEqual(
    states.map(({ status }) => status),
    ['deploying', 'active', 'deleting', 'deleted'],
  );
  const ofServer = await pages(`/api/slices/${id}/history?resource_kind=server&resource_name=vm2`);
  assert.deepEqual([...new Set(ofServer.map((event) => event.resource_name))], ['vm2']);

  for (const path of ['journal', 'history', 'resources', 'events', 'status']) {
    assert.equal((await other.send('GET', `/api/slices/${id}/${path}`)).status, 404, path);
  }
});

test('a database that is killed in the middle of a deployment costs time, and the journal stays legal', async () => {
  const { id } = await user.json('POST', '/api/slices', slice('kept', 5));
  await until(
    () => user.json('GET', `/api/slices/${id}`),
    ({ percent }) => percent > 0,
  );
  await mesh.killDatabase();
  const found = await until(
    async () => (await user.send('GET', `/api/slices/${id}`)).json() as Promise<Json>,
    ({ status }) => status === 'active' || status === 'error',
  );
  assert.equal(found.status, 'active', found.error_message);
  const begun = new Map<string, string>();
  for (const { step, phase, run_id } of await pages(`/api/slices/${id}/journal`)) {
    if (phase === 'begin') begun.set(step, run_id);
    else assert.equal(begun.get(step), run_id, `${step} is ${phase} without a begin in the same run`);
  }
  assert.equal((await user.list('GET', '/api/openstack/instances')).length, 5, 'no server twice');
  await remove(id);
});

test('while the cloud fails in passing, the status says what failed and when it is tried again', async () => {
  const faults = `http://127.0.0.1:${mesh.ports.SANDBOX_PORT}/_sandbox/faults`;
  const match = { service: 'compute', method: 'POST', path: '/servers$' };
  const body = JSON.stringify({ match, effect: 'error-before', status: 503, times: null });
  assert.ok((await fetch(faults, { method: 'POST', body })).ok);
  const { id } = await user.json('POST', '/api/slices', slice('patient'));
  const told = await until(
    () => user.json('GET', `/api/slices/${id}/status`),
    ({ message }) => /tried again|goes on in/.test(message),
  );
  assert.match(
    told.message,
    /^the server is being built; waiting for vm1 \(.+; it is tried again in \d+ s\)$/,
  );
  const [server] = (await user.list('GET', `/api/slices/${id}/resources`)).filter(
    ({ kind }) => kind === 'server',
  );
  assert.equal(server.state, 'creating');
  await fetch(faults, { method: 'DELETE' });
  await until(
    () => user.json('GET', `/api/slices/${id}/status`),
    ({ status }) => status === 'active',
  );
  const steps = await pages(`/api/slices/${id}/journal`);
  assertLegal(steps);
  assert.ok(
    steps.some(({ step, phase, detail }) => step === 'create server/vm1' && phase === 'failed' && detail),
  );
  await remove(id);
});

/** A step ends once for each time it begins at most, and never before. */
function assertLegal(steps: readonly Json[]): void {
  const begun = new Set<string>();
  for (const { step, phase } of steps) {
    if (phase === 'begin') begun.add(step);
    else assert.ok(begun.delete(step), `${step} is ${phase} without a begin`);
  }
  assert.deepEqual([...begun], [], 'nothing was cut off');
}

/** All pages by the links that the answers give. */
async function pages(path: string): Promise<Json[]> {
  const all: Json[] = [];
  for (let next: string | undefined = path; next; ) {
    const response: Response = await user.send('GET', next);
    assert.equal(response.status, 200, next);
    all.push(...((await response.json()) as Json[]));
    next = /<(.*)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1];
  }
  return all;
}

async function remove(id: string): Promise<void> {
  await user.json('DELETE', `/api/slices/${id}`);
  await until(
    () => user.list('GET', '/api/slices'),
    (slices) => slices.length === 0,
  );
}

/** What was killed last has come back. */
async function untilBack(): Promise<void> {
  await until(
    () =>
      user.send('GET', '/api/slices').then(
        ({ status }) => status,
        () => 0,
      ),
    (status) => status === 200,
  );
}
