// A slice that is changed while it runs, as a user's script would do it: read the spec, alter it, look at the plan, put it
// back; and changes that fail.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Api, type Json, signIn, slice } from '../support/api.ts';
import { type Mesh, removeMesh, startMesh, until } from '../support/mesh.ts';

let mesh: Mesh;
let user: Api;
before(async () => {
  mesh = await startMesh();
  user = await signIn(mesh.gateway, 'testuser', 'testpass123');
});
after(() => removeMesh(mesh));

test('a change is planned, then carried out, and what does not change keeps its ids', async () => {
  const asked = slice('first-name', 3);
  asked.connections = [
    { source: 'vm1', target: 'vm2' },
    { source: 'vm2', target: 'vm3' },
  ];
  const { id } = await user.json('POST', '/api/slices', asked);
  const running = await untilSettled(id);
  assert.equal(running.status, 'active', running.error_message);
  const spec = await user.json('GET', `/api/slices/${id}/spec`);
  assert.deepEqual(rangesOf(spec), ['10.255.0.0/29', '10.255.0.8/29']);
  const same = await user.json('PUT', `/api/slices/${id}`, spec);
  assert.deepEqual([same.status, same.generation], ['active', running.generation], same.message);

  const [vm1, vm2, vm3] = spec.nodes;
  const [, second] = spec.connections;
  const wish = {
    ...spec,
    name: 'second-name',
    description: 'with four',
    nodes: [
      vm1,
      { ...vm2, flavor: 'micro' },
      { ...vm3, image: 'debian-12' },
      { name: 'vm4', image: 'ubuntu-20.04', flavor: 'nano', networks: ['net1'] },
    ],
    connections: [second, { source: 'vm3', target: 'vm4' }],
  };
  const { plan } = await user.json('PUT', `/api/slices/${id}?validate_only=true`, wish);
  const planned = (kind: string, name: string) =>
    plan.steps
      .filter((step: Json) => step.resource_kind === kind && step.resource_name === name)
      .map(({ action }: Json) => action);
  assert.deepEqual(planned('server', 'vm2'), ['update'], 'a resized server lives on');
  assert.deepEqual(
    planned('server', 'vm3').sort(),
    ['delete', 'replace'],
    'another image takes another server',
  );
  assert.deepEqual(planned('server', 'vm4'), ['create']);
  assert.deepEqual(planned('network', 'vm1-vm2'), ['delete']);
  assert.deepEqual(planned('network', 'vm2-vm3'), ['keep']);
  assert.deepEqual(planned('network', 'vm3-vm4'), ['create']);
  assert.equal((await user.json('GET', `/api/slices/${id}`)).generation, running.generation);

  const { generation } = running;
  const changed = await user.json('PUT', `/api/slices/${id}`, { ...wish, generation });
  assert.equal(changed.status, 'deploying');
  const late = await user.send('PUT', `/api/slices/${id}`, { ...spec, generation });
  assert.equal(late.status, 409);
  assert.match(await late.text(), /"reason":"SLICE_CHANGED"/);
  const now = await untilSettled(id);
  assert.equal(now.status, 'active', now.error_message);
  assert.deepEqual([now.name, now.description, now.node_count], ['second-name', 'with four', 4]);
  const ids = (seen: Json) => seen.nodes.map(({ vm_id }: Json) => vm_id);
  assert.deepEqual(ids(now).slice(0, 2), ids(running).slice(0, 2));
  assert.notEqual(ids(now)[2], ids(running)[2]);
  assert.deepEqual(segmentOf(now, 'net1'), segmentOf(running, 'net1'));
  assert.deepEqual(segmentOf(now, 'vm2-vm3'), segmentOf(running, 'vm2-vm3'));
  assert.equal(segmentOf(now, 'vm1-vm2'), undefined);
  const servers = await user.list('GET', '/api/openstack/instances');
  const names = servers.map(({ instance_name }) => instance_name).sort();
  assert.deepEqual(
    names,
    ['vm1', 'vm2', 'vm3', 'vm4'].map((name) => `first-name-${name}`),
  );
  await remove(id);
});

test('a spec with everything in it comes back as it was, and putting it back is no work', async () => {
  const asked = {
    ...slice('rich', 2),
    deploy: false,
    placement_policy: 'distributed',
    availability_zone: 'nova',
    connections: [{ from: 'vm1', to: 'vm2' }],
    security_groups: [
      {
        name: 'web',
        rules: [{ protocol: 'tcp', port_min: 80 }, { direction: 'egress' }, { remote_group: 'web' }],
      },
    ],
  };
  Object.assign(asked.nodes[0], {
    interfaces: [{ network: 'net1', ip_address: '192.168.100.9', mac_address: 'fa:16:3e:00:00:09' }],
    volumes: [{ size: 2 }],
    security_groups: ['web'],
    floating_ip: true,
    forwarding: false,
    user_data: '#!/bin/sh\ntrue\n',
  });
  const { id } = await user.json('POST', '/api/slices', asked);
  const spec = await user.json('GET', `/api/slices/${id}/spec`);
  for (const body of [spec, asked].map(({ deploy: _, ...rest }) => rest)) {
    const same = await user.json('PUT', `/api/slices/${id}`, body);
    assert.deepEqual([same.status, same.generation], ['draft', 0], same.message);
  }
  assert.deepEqual(await user.json('GET', `/api/slices/${id}/spec`), spec);
  await remove(id);
});

test('a change that fails is undone if asked, says which node and why, and the rest runs on', async () => {
  const { id } = await user.json('POST', '/api/slices', slice('steady'));
  const running = await untilSettled(id);
  const spec = await user.json('GET', `/api/slices/${id}/spec`);
  const wish = { ...spec, nodes: [...spec.nodes, { name: 'vm2', image: 'ubuntu-20.04', flavor: 'nano' }] };
  await withSickNova(async () => {
    await user.json('PUT', `/api/slices/${id}`, { ...wish, on_failure: 'rollback' });
    const undone = await untilSettled(id);
    assert.equal(undone.status, 'active');
    assert.match(
      undone.error_message,
      /^The change failed and was undone: Server "vm2" failed: .* \(request req-[\w-]+\)\. Choose a smaller flavor/,
    );
    assert.deepEqual(
      undone.nodes.map(({ vm_id }: Json) => vm_id),
      running.nodes.map(({ vm_id }: Json) => vm_id),
    );
    assert.deepEqual(await user.json('GET', `/api/slices/${id}/spec`), spec);

    await user.json('PUT', `/api/slices/${id}`, wish);
    const kept = await untilSettled(id);
    assert.equal(kept.status, 'error', 'a change is kept unless asked otherwise');
    assert.deepEqual(
      kept.nodes.map(({ status }: Json) => status),
      ['active', 'error'],
    );
  });
  await user.json('POST', `/api/slices/${id}/deploy`);
  const whole = await untilSettled(id);
  assert.deepEqual([whole.status, whole.error_message, whole.node_count], ['active', '', 2]);
  await remove(id);
});

test('a first deployment that was rolled back still tells which node failed', async () => {
  await withSickNova(async () => {
    const { id } = await user.json('POST', '/api/slices', slice('doomed'));
    const failed = await untilSettled(id);
    assert.equal(failed.status, 'error');
    const [node] = await user.list('GET', `/api/slices/${id}/nodes`);
    assert.deepEqual([node.status, node.vm_id], ['error', '']);
    assert.match(node.error_message, /^Server "vm1" failed: /);
    const status = await user.json('GET', `/api/slices/${id}/status`);
    assert.equal(status.message, failed.error_message);
    assert.deepEqual(await user.list('GET', '/api/openstack/instances'), []);
    await remove(id);
  });
});

/** While `work` runs, every new server ends in ERROR. */
async function withSickNova(work: () => Promise<void>): Promise<void> {
  const faults = `http://localhost:${mesh.ports.SANDBOX_PORT}/_sandbox/faults`;
  const body = JSON.stringify({ effect: 'server-error', times: null });
  assert.ok((await fetch(faults, { method: 'POST', body })).ok);
  try {
    await work();
  } finally {
    await fetch(faults, { method: 'DELETE' });
  }
}

function untilSettled(id: string): Promise<Json> {
  return until(
    () => user.json('GET', `/api/slices/${id}`),
    ({ status }) => status !== 'deploying',
  );
}

async function remove(id: string): Promise<void> {
  await user.json('DELETE', `/api/slices/${id}`);
  await until(
    () => user.list('GET', '/api/slices'),
    (slices) => slices.length === 0,
  );
  assert.deepEqual(await user.list('GET', '/api/openstack/instances'), []);
}

function rangesOf({ connections }: Json): string[] {
  return connections.map(({ cidr }: Json) => cidr);
}

function segmentOf({ networks }: Json, wanted: string): Json {
  const network = networks.find(({ name }: Json) => name === wanted);
  return network && [network.openstack_network_id, network.openstack_subnet_id, network.cidr];
}
