import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { openDatabase } from '#common/database.ts';
import { silentLog } from '#common/log.ts';
import { connect } from '#common/rpc-client.ts';
import {
  CreateFloatingIpRequest,
  ListFloatingIpsRequest,
  type NetworkingServiceServer,
  NetworkingServiceService,
} from '#proto/pucp/openstack/v1/networking_service.ts';
import {
  type OpenstackServiceServer,
  OpenstackServiceService,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import { migrations } from '../../services/openstack/migrations/all.ts';
import { type Contract, failureOf, isRealCloud, startContract, until } from './contract.ts';
import { connectNetworking, wayOutside } from './networking.ts';
import { NOTHING, remains, slice } from './slice.ts';

const ROOT = resolve(import.meta.dirname, '../..');

test('after kill -9 in the middle of a deployment, the next start removes what was begun', async () => {
  const contract = await startContract();
  try {
    const { options } = await contract.user();
    const first = await startProcess(contract);
    const id = contract.name('killed');
    const call = failureOf(first.client.deploySlice(slice({ id, vms: 3, cidr: '10.90.0.0/24' }), options));
    await until(async () => (await remains(contract, id)).networks === 1, 'the network is made');
    first.kill();
    assert.equal((await call).code, 'UNAVAILABLE');
    assert.notDeepEqual(await remains(contract, id), NOTHING);

    // The dead process's lease would be over in a while.
    const { databaseUrl: url } = contract.config;
    const knex = await openDatabase({ url, schema: 'openstack', migrations, log: silentLog });
    assert.equal(await knex('slices').update({ lease_until: new Date(0) }), 1);
    await knex.destroy();
    const second = await contract.another();
    try {
      let quiet = 0;
      // Three times in a row: what Nova had still under way when the process died may come late.
      await until(async () => {
        const left = Object.values(await remains(contract, id)).some((count) => count > 0);
        quiet = left ? 0 : quiet + 1;
        return quiet > 3;
      }, 'nothing remains');
    } finally {
      await second.close();
    }
  } finally {
    await contract.close();
  }
});

test('after kill -9 while a floating IP is made, its owner finds it and gives it back', {
  skip: isRealCloud,
}, async () => {
  const contract = await startContract();
  const networking = connectNetworking(contract);
  try {
    const owner = await contract.user();
    const { options } = owner;
    const { portId } = await wayOutside(contract, networking, owner);
    const match = { service: 'network', method: 'POST', path: '/floatingips$' };
    await fetch(new URL('/_sandbox/faults', contract.environment.OPENSTACK_AUTH_URL), {
      method: 'POST',
      body: JSON.stringify({ match, effect: 'delay-after', delay_ms: 4_000 }),
    });
    const first = await startProcess(contract);
    const other = connect<NetworkingServiceServer>(NetworkingServiceService, first.url);
    const wish = CreateFloatingIpRequest.fromPartial({ portId, description: 'for the web' });
    const call = failureOf(other.createFloatingIp(wish, options));
    const list = async () => {
      const all = ListFloatingIpsRequest.fromPartial({});
      return (await networking.listFloatingIps(all, options)).floatingIps;
    };
    await until(async () => (await list()).length === 1, 'the floating IP is made');
    first.kill();
    assert.equal((await call).code, 'UNAVAILABLE');
    other.close();
    const [left] = await list();
    assert.deepEqual([left?.portId, left?.description], [portId, 'for the web']);
    await networking.deleteFloatingIp({ id: left?.id ?? '' }, options);
    assert.deepEqual(await list(), []);
  } finally {
    networking.close();
    await contract.close();
  }
});

/** The service as a process of its own, on the contract's database and cloud. */
async function startProcess({ environment }: Contract) {
  const child = spawn(process.execPath, [join(ROOT, 'services/openstack/main.ts')], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...environment, LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit').then(() => assert.fail('the service ended before it listened'));
  const port = await Promise.race([portOf(child.stdout), exited]);
  child.stdout.resume();
  const url = `http://127.0.0.1:${port}`;
  const client = connect<OpenstackServiceServer>(OpenstackServiceService, url);
  exited.catch(() => client.close());
  return { client, url, kill: () => child.kill('SIGKILL') };
}

async function portOf(lines: NodeJS.ReadableStream): Promise<number> {
  for await (const line of createInterface({ input: lines })) {
    const { message, port } = JSON.parse(line) as { message?: string; port?: number };
    if (message === 'listening' && port) return port;
  }
  return assert.fail('the service never listened');
}
