import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { silentLog } from '#common/log.ts';
import { startGateway } from '../../gateway/service.ts';
import { type Contract, startContract } from './contract.ts';

const MIB = 1024 * 1024;

let contract: Contract;
before(async () => {
  contract = await startContract();
});
after(async () => {
  const { glance } = contract.cloud.project('home');
  for (const { id } of await named(contract.name('rest'))) await glance.deleteImage(id, contract.within);
  await contract.close();
});

async function named(name: string) {
  return await contract.cloud.project('home').glance.listImages({ name }, contract.within);
}

const sha512 = (bytes: Buffer) => createHash('sha512').update(bytes).digest('hex');

test('an upload over REST is the file as the body and the rest as the query, or a form of both', async () => {
  const owner = await contract.user();
  const gateway = await startGateway(
    {
      host: '127.0.0.1',
      port: 0,
      logLevel: 'silent',
      logDir: undefined,
      jwtSecret: contract.config.jwtSecret,
      upstreams: ['auth', 'slice', 'openstack'].map((name) => ({
        name,
        packageName: `pucp.${name}.v1`,
        url: contract.url,
      })),
      corsOrigins: [],
      allowsLocalOrigins: true,
      trustedProxies: [],
      ratePerMinute: 0,
      loginRatePerMinute: 0,
      protoFolders: [new URL('../../proto', import.meta.url).pathname],
    },
    silentLog,
  );
  try {
    const bytes = randomBytes(3 * MIB);
    const name = contract.name('rest');
    const query = new URLSearchParams({ name, disk_format: 'qcow2', sha512: sha512(bytes) });
    const send = (accept: string) =>
      fetch(`${gateway.url}/api/openstack/images?${query}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${owner.options.token}`,
          'content-type': 'application/octet-stream',
          accept,
        },
        body: bytes,
      });
    const response = await send('application/json');
    assert.equal(response.status, 201, await response.clone().text());
    const image = (await response.json()) as Record<string, unknown>;
    assert.deepEqual([image.name, image.size, image.status], [name, bytes.length, 'active']);
    const progress = (await (await send('application/x-ndjson')).text()).trim().split('\n');
    const first = JSON.parse(progress[0] ?? '');
    assert.deepEqual([first.bytes_sent, first.bytes_total, first.image], [0, bytes.length, null]);
    assert.equal(JSON.parse(progress.at(-1) ?? '').image.hash_value, sha512(bytes));
    const form = new FormData();
    for (const [field, value] of query) form.append(field, value);
    form.append('properties', 'os_distro=debian');
    form.append('properties', 'os_version=12');
    form.append('file', new Blob([bytes]), 'disk.qcow2');
    const formed = await fetch(`${gateway.url}/api/openstack/images`, {
      method: 'POST',
      headers: { authorization: `Bearer ${owner.options.token}` },
      body: form,
    });
    assert.equal(formed.status, 201, await formed.clone().text());
    const second = (await formed.json()) as Record<string, unknown>;
    assert.deepEqual([second.name, second.size, second.hash_value], [name, bytes.length, sha512(bytes)]);
    assert.deepEqual(second.properties, { os_distro: 'debian', os_version: '12' });
    query.set('sha512', sha512(Buffer.from('other')));
    const wrong = await send('application/json');
    assert.equal(wrong.status, 400);
    assert.equal(((await wrong.json()) as { reason: string }).reason, 'CHECKSUM_MISMATCH');
    assert.equal((await named(name)).length, 3);
  } finally {
    await gateway.close();
  }
});
