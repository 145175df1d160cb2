// One of the cloud's services is sick: the rest goes on, the sick one is named, and let go of at once when a caller leaves.
// On a real cloud as well: only Cinder's address leads to the server of this test instead.

import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import type { Failure } from '#common/errors.ts';
import {
  ListFlavorsRequest,
  ListInstancesRequest,
  ListVolumesRequest,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import {
  type Contract,
  type ContractUser,
  failureOf,
  isRealCloud,
  startContract,
  until,
} from './contract.ts';

const STATES = {
  hangs: () => undefined,
  'cuts connections': (response) => response.socket?.resetAndDestroy(),
  'answers slowly': (response) => void setInterval(() => response.write(' '), 50).unref(),
  'talks nonsense': (response) => response.end('<html><body>Welcome'),
  fails: (response) => response.writeHead(500).end('oops'),
  'is well': (response) => response.end('{"volumes": []}'),
} satisfies Record<string, (response: ServerResponse) => void>;
type State = keyof typeof STATES;

let state: State = 'is well';
let asked: { isAbandoned: boolean }[] = [];
const cinder = createServer((request, response) => {
  const one = { isAbandoned: false };
  asked.push(one);
  response.once('close', () => {
    one.isAbandoned = !response.writableFinished;
  });
  request.resume();
  STATES[state](response);
});

let contract: Contract;
let admin: ContractUser;
before(async () => {
  await new Promise<void>((resolve) => cinder.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(cinder.address() as AddressInfo).port}/v3/{project_id}`;
  // Long enough for a real Nova, short enough to wait for a Cinder that hangs.
  const requestTimeoutMs = isRealCloud ? 15_000 : 1_500;
  contract = await startContract({
    changes: ({ cloud }) => ({
      cloud: { ...cloud, requestTimeoutMs, breakerResetMs: 500, endpointOverrides: { cinder: url } },
    }),
  });
  admin = await contract.user('admin');
});
beforeEach(() => {
  asked = [];
});
after(async () => {
  await contract.close();
  cinder.closeAllConnections();
  cinder.close();
});

const listVolumes = (options: object = {}) =>
  contract.client.listVolumes(ListVolumesRequest.fromPartial({}), { ...admin.options, ...options });

/** Asks for volumes, several at a time, until they are refused without asking Cinder. */
async function untilRefused(): Promise<Failure> {
  for (let round = 0; round < 10; round += 1) {
    const failures = await Promise.all(Array.from({ length: 3 }, () => failureOf(listVolumes())));
    const refused = failures.find(({ reason }) => reason === 'CIRCUIT_OPEN');
    if (refused) return refused;
  }
  return assert.fail('Cinder is still asked');
}

async function untilWell(): Promise<void> {
  state = 'is well';
  await until(async () => (await listVolumes().catch(() => undefined)) !== undefined, 'Cinder is used again');
}

async function healthOfCloud(): Promise<Record<string, unknown>> {
  const health = (await (await fetch(`${contract.url}/health`)).json()) as { cloud: Record<string, unknown> };
  return health.cloud;
}

test('a call that its caller ends, or whose deadline passes, lets go of the cloud at once', async () => {
  state = 'hangs';
  const leaving = new AbortController();
  const left = failureOf(listVolumes({ signal: leaving.signal }));
  await until(async () => asked.length === 1, 'the request reaches the cloud');
  leaving.abort();
  assert.equal((await left).code, 'CANCELLED');
  await until(async () => asked[0]?.isAbandoned === true, 'the connection to the cloud is closed');

  const late = failureOf(listVolumes({ timeoutMs: 400 }));
  assert.equal((await late).code, 'DEADLINE_EXCEEDED');
  await until(async () => asked.length === 2 && asked[1]?.isAbandoned === true, 'and again');
  await untilWell();
});

for (const sick of Object.keys(STATES) as State[]) {
  if (sick === 'is well') continue;
  test(`a Cinder that ${sick} is soon left alone and named, Nova goes on, and it is used again once it is well`, async () => {
    state = sick;
    const refused = await untilRefused();
    assert.equal(refused.code, 'UNAVAILABLE');
    assert.match(refused.message, /Cinder/);
    assert.match(refused.metadata.circuit ?? '', /^[^/]+\/[^/]+\/cinder$/);
    assert((refused.retryAfterS ?? 0) >= 1, 'it says when to try again');

    const { client } = contract;
    const { flavors } = await client.listFlavors(ListFlavorsRequest.fromPartial({}), admin.options);
    assert(flavors.length > 0);
    await client.listInstances(ListInstancesRequest.fromPartial({}), admin.options);
    await until(async () => String((await healthOfCloud()).sick) === 'cinder', 'health names Cinder alone');
    const cloud = await healthOfCloud();
    assert.equal(cloud.reachable, true, 'what needs no volumes works');
    assert.match(String(cloud.error), /Cinder/);
    const metrics = await (await fetch(`${contract.url}/metrics`)).text();
    assert.match(metrics, /openstack_breaker_open\{[^}]*cloud_service="cinder"[^}]*\} (1|0\.5)/);
    assert.match(
      metrics,
      /openstack_breaker_open\{cloud="[^"]+",region="[^"]*",cloud_service="nova"[^}]*\} 0\n/,
    );
    await untilWell();
  });
}
