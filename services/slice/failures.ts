// Where a slice shows what its last work failed at: at the node or the network that it belongs to. What failed may be gone
// since, rolled back or never made, so that no resource tells. Pure.

import { volumesOf } from '#engine/spec/volumes.ts';
import type { FailedResource } from '#proto/pucp/driver/v1/driver_service.ts';
import type { NodeSpec } from '#proto/pucp/slice/v1/slice.ts';

/** Why work failed at a node's server, or at a port, a volume or an address of it; empty if it did not. */
export function nodeFailure(
  failures: readonly FailedResource[],
  { node, ports }: { readonly node: NodeSpec; readonly ports: readonly string[] },
): string {
  const own: Readonly<Record<string, readonly string[]>> = {
    server: [node.name],
    floatingIp: [node.name],
    port: ports,
    volume: volumesOf(node).map(({ name }) => name),
  };
  return failures.find(({ kind, name }) => own[kind]?.includes(name))?.message ?? '';
}

/** Whether work failed at a network or at what makes it one. */
export function hasNetworkFailed(failures: readonly FailedResource[], network: string): boolean {
  const kinds = ['network', 'subnet', 'routerInterface'];
  return failures.some(({ kind, name }) => kinds.includes(kind) && name === network);
}
