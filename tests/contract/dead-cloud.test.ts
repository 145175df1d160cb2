import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { CreateInstanceRequest, ListFlavorsRequest } from '#proto/pucp/openstack/v1/openstack_service.ts';
import { type Contract, failureOf, startContract } from './contract.ts';

let contract: Contract;
let authUrl: string;
before(async () => {
  authUrl = `http://127.0.0.1:${await closedPort()}/v3`;
  contract = await startContract({ changes: (config) => ({ cloud: { ...config.cloud, authUrl } }) });
});
after(() => contract.close());

test('a cloud that does not answer is told as such, and once it is known calls are refused at once', async () => {
  const { client } = contract;
  const { options } = await contract.user();
  const reasons: string[] = [];
  for (let count = 0; count < 12; count += 1) {
    const failure = await failureOf(client.listFlavors(ListFlavorsRequest.fromPartial({}), options));
    assert.equal(failure.code, 'UNAVAILABLE', failure.message);
    reasons.push(failure.reason);
    if (failure.reason !== 'CIRCUIT_OPEN') continue;
    assert((failure.retryAfterS ?? 0) >= 1, 'it says when to try again');
    assert.match(failure.message, /Keystone/);
  }
  assert.equal(reasons[0], 'CLOUD_UNREACHABLE');
  assert.equal(reasons.at(-1), 'CIRCUIT_OPEN');
  const vm = { instanceName: 'x', imageId: 'cirros', flavorId: 'nano' };
  const create = client.createInstance(CreateInstanceRequest.fromPartial(vm), options);
  assert.equal((await failureOf(create)).reason, 'CIRCUIT_OPEN');
});

test('health answers while the cloud does not, and says what is wrong', async () => {
  const answer = await fetch(`${contract.url}/health`);
  assert.equal(answer.status, 200);
  const health = (await answer.json()) as Record<string, Record<string, unknown>>;
  assert.equal(health.cloud?.reachable, false);
  assert.equal(health.cloud?.auth_url, authUrl);
  assert.equal(health.breakers?.keystone, 'open');
  assert.match(String(health.cloud?.error), /Keystone/);
  assert.equal((await fetch(`${contract.url}/ready`)).status, 200);
});

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  assert(typeof address === 'object' && address !== null);
  return address.port;
}
