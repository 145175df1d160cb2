// Whether a slice may be stored: every mistake in the request at once, ours and the cloud's, and the user's limits.
// Nothing is created anywhere by asking.

import type { Caller, User } from '#common/caller.ts';
import { Failure, type FieldViolation, invalid } from '#common/errors.ts';
import { layoutOf } from '#engine/spec/attach.ts';
import { checkSpec, type SpecLimits } from '#engine/spec/check.ts';
import { compileSpec, portNames } from '#engine/spec/compile.ts';
import { volumesOf } from '#engine/spec/volumes.ts';
import { PlanResponse, type Violation } from '#proto/pucp/driver/v1/driver_service.ts';
import { Power, Resource } from '#proto/pucp/driver/v1/resource.ts';
import { Infrastructure, type ResourceTotals, type SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import type { Drivers } from './drivers.ts';
import { powerOf } from './power.ts';
import { type SliceRow, scopeOf } from './rows.ts';
import { checkChange } from './spec-changes.ts';
import type { Usage } from './store.ts';

/** The most that one user may have in all. */
export type UserLimits = {
  readonly slices: number;
  readonly vcpus: number;
  readonly ramMib: number;
  readonly diskGib: number;
};

/** On whose behalf a driver is asked, and for which request. */
export type Asker = { readonly caller: User; readonly requestId: string; readonly signal: AbortSignal };

export type Applicant = {
  readonly sliceId: string;
  readonly caller: Caller;
  /** Whose the slice is; the caller if absent. */
  readonly owner?: { readonly userId: string; readonly username: string };
  /** What the cloud calls the slice; as its spec does if absent. */
  readonly sliceName?: string;
  /** For a change: the specs that the cloud may hold, the latest first. */
  readonly before?: readonly SliceSpec[];
  /** Which servers are to run; all if absent. */
  readonly power?: Parameters<typeof compileSpec>[1];
  readonly requestId: string;
  readonly signal: AbortSignal;
};

/**
 * What would be done for a slice, and what it takes. Throws INVALID_ARGUMENT with every mistake, FAILED_PRECONDITION if no
 * driver serves it, or UNAVAILABLE if the cloud cannot be asked.
 */
export async function examine(
  spec: SliceSpec,
  applicant: Applicant,
  { drivers, limits }: { drivers: Drivers; limits: SpecLimits },
): Promise<PlanResponse> {
  const { caller, owner = caller, before = [], power, requestId, signal } = applicant;
  const own = [
    ...checkSpec(spec, limits),
    ...checkPrivileges(spec, caller, before),
    ...checkChange(spec, before),
  ];
  const isDeployable = own.length === 0;
  if (!isDeployable && !canAskDriver(spec, drivers, limits)) throw invalid(own);
  const { sliceId, sliceName = spec.name } = applicant;
  const { userId, username } = owner;
  const scope = { sliceId, sliceName, userId, username };
  const driver = drivers.of(spec.infrastructure);
  const options = { token: await drivers.token(caller), requestId, signal };
  const answer = isDeployable
    ? await driver.plan({ scope, desired: desiredOf(spec, power), isNew: before.length === 0 }, options)
    : // What is known to be wrong is worth saying even if the cloud cannot add to it.
      await driver
        .validate({ scope, desired: bareServers(spec) }, options)
        .then(PlanResponse.fromPartial, () => PlanResponse.create());
  refuse(spec, { own, theirs: answer.violations, isNamed: isDeployable });
  return answer;
}

/**
 * The same for a slice as it is stored, whose servers are to run. What was allowed when it was stored is not judged again,
 * but the cloud may not offer any more what it asks for: then it throws INVALID_ARGUMENT.
 */
export async function examineStored(
  row: SliceRow,
  { caller, requestId, signal }: Asker,
  drivers: Drivers,
): Promise<PlanResponse> {
  // Deploying starts a slice that is off as a whole, and leaves single nodes off.
  const answer = await planStored({ ...row, goal: 'running' }, { caller, requestId, signal }, drivers);
  refuse(row.spec, { own: [], theirs: answer.violations, isNamed: true });
  return answer;
}

/** What its goal would take, with what the cloud finds wrong with it: then there are no steps. */
export async function planStored(
  row: SliceRow,
  { caller, requestId, signal }: Asker,
  drivers: Drivers,
): Promise<PlanResponse> {
  const { spec } = row;
  return await drivers
    .of(spec.infrastructure)
    .plan(
      { scope: scopeOf(row), desired: desiredOf(spec, powerOf(row)), isNew: row.cloud_name === '' },
      { token: await drivers.token(caller), requestId, signal },
    );
}

/** Throws RESOURCE_EXHAUSTED with every number that does not fit. */
export function admit(needed: ResourceTotals, usage: Usage, limits: UserLimits): void {
  const amounts = [
    { what: 'slices', unit: '', needed: 1, used: usage.slices, limit: limits.slices },
    { what: 'vcpus', unit: '', needed: needed.totalVcpus, used: usage.vcpus, limit: limits.vcpus },
    { what: 'ram', unit: ' MB', needed: needed.totalRam, used: usage.ramMib, limit: limits.ramMib },
    { what: 'disk', unit: ' GB', needed: needed.totalDisk, used: usage.diskGib, limit: limits.diskGib },
  ];
  const over = amounts.filter((one) => one.needed > 0 && one.used + one.needed > one.limit);
  if (over.length === 0) return;
  const words = over.map(
    (one) => `${one.what}: ${one.needed}${one.unit} needed, ${one.used} of ${one.limit}${one.unit} used`,
  );
  throw new Failure({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'USER_LIMIT_EXCEEDED',
    message: `The slice goes beyond your limits (${words.join('; ')}): delete a slice, or ask for a smaller one`,
    metadata: Object.fromEntries(
      over.flatMap((one) => [
        [`${one.what}_needed`, String(one.needed)],
        [`${one.what}_used`, String(one.used)],
        [`${one.what}_limit`, String(one.limit)],
      ]),
    ),
  });
}

/** What an admin has chosen before may stay. */
function checkPrivileges(spec: SliceSpec, caller: Caller, before: readonly SliceSpec[]): FieldViolation[] {
  if (caller.role === 'admin') return [];
  const chosen = before.flatMap(({ networks }) => networks);
  return spec.networks.flatMap((network, index) =>
    network.vlanId === 0 ||
    chosen.some(({ name, vlanId }) => name === network.name && vlanId === network.vlanId)
      ? []
      : [{ field: `networks[${index}].vlan_id`, message: 'only an admin chooses a VLAN; leave it out' }],
  );
}

function canAskDriver(spec: SliceSpec, drivers: Drivers, limits: SpecLimits): boolean {
  if (spec.infrastructure === Infrastructure.UNSPECIFIED || spec.nodes.length === 0) return false;
  if (spec.nodes.length > 10 * limits.nodes) return false;
  try {
    return drivers.of(spec.infrastructure) !== undefined;
  } catch {
    return false;
  }
}

function desiredOf(spec: SliceSpec, power: Applicant['power'] = { power: Power.ON }): Resource[] {
  return compileSpec(spec, power);
}

function refuse(
  spec: SliceSpec,
  mistakes: { own: readonly FieldViolation[]; theirs: readonly Violation[]; isNamed: boolean },
): void {
  const theirs = mistakes.theirs.map((violation) => toField(spec, violation, mistakes.isNamed));
  const all = [...mistakes.own, ...theirs];
  if (all.length > 0) throw invalid(all);
}

// A spec with mistakes has no meaning as a whole, but its images, flavors, zones, key pairs and volume types can be judged
// one by one. The names are places in the request, since those of the nodes may be missing or double.
function bareServers(spec: SliceSpec): Resource[] {
  return spec.nodes.flatMap((node, index) => {
    const { image, flavor, keyPair, volumes } = node;
    const availabilityZone = node.availabilityZone || spec.availabilityZone;
    const server = { image, flavor, keyPair, availabilityZone, power: Power.ON };
    return [
      Resource.fromPartial({ name: String(index), kind: { $case: 'server', value: { spec: server } } }),
      ...volumes.map(({ size, type }, position) =>
        Resource.fromPartial({
          name: `${index}/${position}`,
          kind: { $case: 'volume', value: { spec: { size, type } } },
        }),
      ),
    ];
  });
}

function toField(spec: SliceSpec, violation: Violation, isNamed: boolean): FieldViolation {
  const { resourceKind: kind, resourceName: name, field, message } = violation;
  return { field: fieldOf(spec, { kind, name, field }, isNamed), message };
}

function fieldOf(
  spec: SliceSpec,
  { kind, name, field }: { kind: string; name: string; field: string },
  isNamed: boolean,
): string {
  switch (kind) {
    case 'server': {
      const index = isNamed ? spec.nodes.findIndex((node) => node.name === name) : Number(name);
      const node = spec.nodes[index];
      if (!node) return 'nodes';
      if (field === 'availability_zone' && node.availabilityZone === '') return 'availability_zone';
      return field === '' ? `nodes[${index}]` : `nodes[${index}].${field}`;
    }
    case 'volume': {
      const places = spec.nodes.flatMap((node, index) =>
        volumesOf(node).map((volume, position) => ({ volume, index, position })),
      );
      const place = places.find(({ volume, index, position }) =>
        isNamed ? volume.name === name : `${index}/${position}` === name,
      );
      return place ? `nodes[${place.index}].volumes[${place.position}].${field}` : 'nodes';
    }
    case 'router':
      return outsideField(spec);
    case 'network':
    case 'subnet': {
      const index = spec.networks.findIndex((network) => network.name === name);
      if (index < 0) return 'connections';
      const own = field === 'gateway_ip' ? 'gateway' : field;
      return own === '' ? `networks[${index}]` : `networks[${index}].${own}`;
    }
    case 'port': {
      const names = portNames(spec, layoutOf(spec));
      const [owner] = [...names].find(([, port]) => port === name) ?? [''];
      const index = spec.nodes.findIndex((node) => owner.startsWith(`${node.name}/`));
      return index < 0 ? 'nodes' : `nodes[${index}].${field === 'ip_address' ? 'management_ip' : 'networks'}`;
    }
    default:
      return kind === '' ? 'nodes' : 'networks';
  }
}

/** The first that asks for a way outside. */
function outsideField({ nodes, networks }: SliceSpec): string {
  const node = nodes.findIndex(({ floatingIp, internetAccess }) => floatingIp || internetAccess);
  if (node >= 0) return `nodes[${node}].${nodes[node]?.floatingIp ? 'floating_ip' : 'internet_access'}`;
  const network = networks.findIndex(({ internetAccess }) => internetAccess);
  return network < 0 ? 'networks' : `networks[${network}].internet_access`;
}
