import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timeoutOf } from './limits.ts';
import { eventually, startWorld, testSchema } from './testing/world.ts';

const LOGIN = '/pucp.auth.v1.AuthService/Login';
const SLICES = '/pucp.slice.v1.SliceService/ListSlices';

function timeout(rpc: string, header?: string): number | undefined {
  const method = testSchema.methods.find(({ path }) => path === rpc);
  assert(method);
  return timeoutOf(method, header);
}

test('a call ends after half a minute, a deployment after ten, a stream never', () => {
  assert.equal(timeout(SLICES), 30_000);
  assert.equal(timeout('/pucp.openstack.v1.OpenstackService/DeploySlice'), 600_000);
  assert.equal(timeout('/pucp.openstack.v1.OpenstackService/DestroySlice'), 600_000);
  assert.equal(timeout('/pucp.slice.v1.SliceService/WatchSlice'), undefined);
});

test('a client can ask for less time, not for more', () => {
  assert.equal(timeout(SLICES, '500m'), 500);
  assert.equal(timeout(SLICES, '2S'), 2_000);
  assert.equal(timeout(SLICES, '1M'), 30_000);
  assert.equal(timeout('/pucp.slice.v1.SliceService/WatchSlice', '1H'), 3_600_000);
  for (const header of ['', '5', '5s', '-5S', '123456789S'])
    assert.throws(() => timeout(SLICES, header), /Grpc-Timeout/, header);
});

test('a service that takes too long is cancelled, and the client told so', async () => {
  await using world = await startWorld({
    [SLICES]: ({ signal }) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve({}), { once: true })),
  });
  const headers = { authorization: `Bearer ${await world.token()}`, 'grpc-timeout': '50m' };
  const response = await fetch(`${world.url}/api/slices`, { headers });
  assert.equal(response.status, 504);
  const { error } = (await response.json()) as { error: string };
  assert.match(error, /^Service timeout: the slice service took too long/);
  await eventually('the call is cancelled', () => world.asked[0]?.signal.aborted === true);
});

test('a client that leaves ends its call', async () => {
  await using world = await startWorld({
    [SLICES]: ({ signal }) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve({}), { once: true })),
  });
  const leave = new AbortController();
  const headers = { authorization: `Bearer ${await world.token()}` };
  const left = fetch(`${world.url}/api/slices`, { headers, signal: leave.signal }).catch(() => 'left');
  await eventually('the call has arrived', () => world.asked.length === 1);
  leave.abort();
  assert.equal(await left, 'left');
  await eventually('the call is cancelled', () => world.asked[0]?.signal.aborted === true);
});

test('a user who asks too often is told when to ask again, and others are not held back', async () => {
  await using world = await startWorld({ [SLICES]: () => ({}), [LOGIN]: () => ({}) }, { ratePerMinute: 3 });
  const ask = async (headers: Record<string, string>) => fetch(`${world.url}/api/slices`, { headers });
  const student = { authorization: `Bearer ${await world.token()}` };
  const first = await ask(student);
  assert.equal(first.headers.get('x-ratelimit-limit'), '3');
  assert.equal(first.headers.get('x-ratelimit-remaining'), '2');
  await ask(student);
  assert.equal((await ask(student)).status, 200);
  const refused = await ask(student);
  assert.equal(refused.status, 429);
  assert(Number(refused.headers.get('retry-after')) > 0);
  assert.equal(((await refused.json()) as { reason: string }).reason, 'RATE_LIMITED');
  assert.equal((await ask({})).status, 401);
  assert.equal((await fetch(`${world.url}/health`)).status, 200);
});

test('passwords are tried out slowly: logging in has a smaller allowance, by address', async () => {
  await using world = await startWorld({ [LOGIN]: () => ({}) }, { loginRatePerMinute: 2 });
  const login = (headers: Record<string, string> = {}) =>
    fetch(`${world.url}/login`, { method: 'POST', headers });
  assert.equal((await login()).status, 200);
  assert.equal((await login({ 'x-forwarded-for': '6.6.6.6' })).status, 200);
  assert.equal((await login({ 'x-forwarded-for': '7.7.7.7' })).status, 429);
  assert.equal((await login({ authorization: `Bearer ${await world.token()}` })).status, 429);
});
