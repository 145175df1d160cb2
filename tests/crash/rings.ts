// A slice as users of a mesh have it made and removed, and the sandbox's own word on what became of it.

import assert from 'node:assert/strict';
import { compileSpec } from '#engine/spec/compile.ts';
import { Power } from '#proto/pucp/driver/v1/resource.ts';
import { Infrastructure, SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { type Json, signIn } from '../support/api.ts';
import { type Mesh, until } from '../support/mesh.ts';
import { assertWorld } from './world.ts';

export const NODES = 4;

export type RingUser = Awaited<ReturnType<typeof ringUser>>;

/** The demo user of a mesh. */
export async function ringUser(mesh: Mesh) {
  const user = await signIn(mesh.gateway, 'testuser', 'testpass123');
  return { user, create, assertHolds, deployHalf, untilStatus, remove, untilGone };

  async function assertHolds(
    slices: readonly { readonly id: string; readonly nodes: number }[],
  ): Promise<void> {
    const answer = await fetch(`http://localhost:${mesh.ports.SANDBOX_PORT}/_sandbox/tables`);
    const tables = (await answer.json()) as Record<string, unknown[]>;
    const wished = slices.map(({ id, nodes }) => ({ id, name: 'ring', desired: wishOf(nodes) }));
    assertWorld({ tables: () => tables }, wished);
  }

  /** Whatever is away for a moment, the answer comes. */
  async function patiently<T>(ask: () => Promise<T>): Promise<T> {
    const answer = await until(
      () =>
        ask().then(
          (value) => ({ value }),
          () => undefined,
        ),
      (one) => one !== undefined,
    );
    return (answer as { value: T }).value;
  }

  async function create(nodes: number): Promise<string> {
    return (await patiently(() => user.json('POST', '/api/slices', ring(nodes)))).id;
  }

  /** Resolves in the middle of the deployment. */
  async function deployHalf(nodes = NODES): Promise<string> {
    const id = await create(nodes);
    await until(
      () => user.json('GET', `/api/slices/${id}`),
      ({ percent }) => percent > 10,
    );
    return id;
  }

  async function untilStatus(id: string, status: string): Promise<void> {
    const { error_message: message } = await until(
      () => user.json('GET', `/api/slices/${id}`).catch(() => ({})),
      (slice) => slice.status === status || slice.status === 'error',
      120_000,
    );
    assert.equal(message, '');
  }

  async function remove(id: string): Promise<void> {
    await patiently(() => user.json('DELETE', `/api/slices/${id}`));
    await untilGone(id);
    await assertHolds([]);
  }

  async function untilGone(id: string): Promise<void> {
    await until(
      () => user.list('GET', '/api/slices').catch(() => [{ id }]),
      (slices) => slices.every((slice) => slice.id !== id),
      120_000,
    );
  }
}

/** A ring with a way outside, a disk and an address, as the API takes it. */
function ring(nodes: number): Json {
  const names = Array.from({ length: nodes }, (_, index) => `vm${index + 1}`);
  return {
    name: 'ring',
    infrastructure: 'openstack',
    nodes: names.map((name, index) => ({
      name,
      image: 'cirros',
      flavor: 'm1.tiny',
      forwarding: index > 0,
      ...(index === 0 && { floating_ip: true, volumes: [{ size: 1 }] }),
    })),
    connections: names.map((source, index) => ({ source, target: names[(index + 1) % names.length] })),
  };
}

/** What the engine is to wish for it. */
function wishOf(nodes: number) {
  return compileSpec(SliceSpec.fromJSON({ ...ring(nodes), infrastructure: Infrastructure.OPENSTACK }), {
    power: Power.ON,
  });
}
