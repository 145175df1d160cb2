// Everything that can be wrong with a spec without asking a cloud, all mistakes at once. Whether an image, a flavor or
// a zone exists is the driver's to say; what a user may have in all is the slice service's.

import type { FieldViolation } from '#common/errors.ts';
import { Infrastructure, type SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { layoutOf } from './attach.ts';
import { checkInterfaces } from './check-interfaces.ts';
import { checkLinkNames, checkLinkRanges, checkNetworks, checkRoom } from './check-networks.ts';
import { checkConnections, checkNodes } from './check-nodes.ts';
import { checkSecurity } from './check-security.ts';
import { checkVolumes } from './volumes.ts';

/** The most of each that one slice may have. */
export type SpecLimits = {
  readonly nodes: number;
  /** Networks that the spec names; those of links are counted as links. */
  readonly networks: number;
  readonly links: number;
};

export const PLACEMENT_POLICIES = ['balanced', 'consolidated', 'distributed', 'energy_efficient'] as const;

const MAX_NAME = 100;
const MAX_DESCRIPTION = 2000;
/** Lists longer than this are refused for their length alone, so that no request costs more than it is worth. */
const ABSURD = 1000;

/** The mistakes of a spec in the order of its fields; none if it can be deployed. */
export function checkSpec(spec: SliceSpec, limits: SpecLimits): FieldViolation[] {
  const head = [...checkHead(spec), ...checkCounts(spec, limits)];
  const { nodes, networks, connections, securityGroups } = spec;
  const longest = Math.max(nodes.length, networks.length, connections.length, securityGroups.length);
  if (longest > ABSURD) return head;
  const layout = layoutOf(spec);
  return [
    ...head,
    ...checkNodes(spec, layout),
    ...checkInterfaces(spec, layout),
    ...checkVolumes(spec),
    ...checkNetworks(spec),
    ...checkRoom(spec, layout),
    ...checkConnections(spec),
    ...checkLinkNames(spec),
    ...checkLinkRanges(spec),
    ...checkSecurity(spec),
  ];
}

function* checkHead(spec: SliceSpec): Generator<FieldViolation> {
  const { name, description, infrastructure, placementPolicy } = spec;
  if (name.trim() === '') yield { field: 'name', message: 'is missing: give the slice a name' };
  else if (name.length > MAX_NAME) {
    yield { field: 'name', message: `has ${name.length} characters, at most ${MAX_NAME} are allowed` };
  } else if (/\p{Cc}/u.test(name)) {
    yield { field: 'name', message: 'must not contain control characters' };
  }
  if (description.length > MAX_DESCRIPTION) {
    const message = `has ${description.length} characters, at most ${MAX_DESCRIPTION} are allowed`;
    yield { field: 'description', message };
  }
  if (infrastructure === Infrastructure.UNSPECIFIED) {
    yield { field: 'infrastructure', message: 'must be "linux", "openstack" or "hybrid"' };
  }
  if (placementPolicy !== '' && !(PLACEMENT_POLICIES as readonly string[]).includes(placementPolicy)) {
    const message = `"${placementPolicy}" is not known; use one of ${PLACEMENT_POLICIES.join(', ')}`;
    yield { field: 'placement_policy', message };
  }
}

function* checkCounts(spec: SliceSpec, limits: SpecLimits): Generator<FieldViolation> {
  if (spec.nodes.length === 0) yield { field: 'nodes', message: 'at least one node is required' };
  if (spec.networks.length === 0 && spec.connections.length === 0) {
    yield { field: 'networks', message: 'at least one network, or a connection between nodes, is required' };
  }
  const counts = [
    { field: 'nodes', count: spec.nodes.length, most: limits.nodes },
    { field: 'networks', count: spec.networks.length, most: limits.networks },
    { field: 'connections', count: spec.connections.length, most: limits.links },
  ];
  for (const { field, count, most } of counts) {
    if (count > most)
      yield { field, message: `${count} are asked for, at most ${most} are allowed in a slice` };
  }
}
