// Whether a slice may be stored: every mistake in the request at once, ours and the cloud's, and the user's limits.
// Nothing is created anywhere by asking.

import type { Caller } from '#common/caller.ts';
import { Failure, type FieldViolation, invalid } from '#common/errors.ts';
import { layoutOf } from '#engine/spec/attach.ts';
import { checkSpec, type SpecLimits } from '#engine/spec/check.ts';
import { compileSpec, portNames } from '#engine/spec/compile.ts';
import { PlanResponse, type Violation } from '#proto/pucp/driver/v1/driver_service.ts';
import { Power, Resource } from '#proto/pucp/driver/v1/resource.ts';
import { Infrastructure, type ResourceTotals, type SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import type { Drivers } from './drivers.ts';
import type { SliceRow } from './rows.ts';
import type { Usage } from './store.ts';

/** The most that one user may have in all. */
export type UserLimits = {
  readonly slices: number;
  readonly vcpus: number;
  readonly ramMib: number;
  readonly diskGib: number;
};

export type Applicant = {
  readonly sliceId: string;
  readonly caller: Caller;
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
  const own = [...checkSpec(spec, limits), ...checkPrivileges(spec, applicant.caller)];
  const isDeployable = own.length === 0;
  if (!isDeployable && !canAskDriver(spec, drivers, limits)) throw invalid(own);
  const { sliceId, caller, requestId, signal } = applicant;
  const scope = { sliceId, sliceName: spec.name, userId: caller.userId, username: caller.username };
  const driver = drivers.of(spec.infrastructure);
  const options = { token: await drivers.token(caller), requestId, signal };
  const answer = isDeployable
    ? await driver.plan({ scope, desired: desiredOf(spec), isNew: true }, options)
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
  { caller, requestId, signal }: Pick<Applicant, 'caller' | 'requestId' | 'signal'>,
  drivers: Drivers,
): Promise<PlanResponse> {
  const { spec } = row;
  const scope = { sliceId: row.id, sliceName: row.name, userId: row.user_id, username: row.username };
  const answer = await drivers
    .of(spec.infrastructure)
    .plan(
      { scope, desired: desiredOf(spec), isNew: row.generation === 0 },
      { token: await drivers.token(caller), requestId, signal },
    );
  refuse(spec, { own: [], theirs: answer.violations, isNamed: true });
  return answer;
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

function checkPrivileges(spec: SliceSpec, caller: Caller): FieldViolation[] {
  if (caller.role === 'admin') return [];
  return spec.networks.flatMap((network, index) =>
    network.vlanId === 0
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

function desiredOf(spec: SliceSpec): Resource[] {
  return compileSpec(spec, { power: Power.ON });
}

function refuse(
  spec: SliceSpec,
  mistakes: { own: readonly FieldViolation[]; theirs: readonly Violation[]; isNamed: boolean },
): void {
  const theirs = mistakes.theirs.map((violation) => toField(spec, violation, mistakes.isNamed));
  const all = [...mistakes.own, ...theirs];
  if (all.length > 0) throw invalid(all);
}

// A spec with mistakes has no meaning as a whole, but its images, flavors and zones can be judged one by one. The names
// are places in the request, since those of the nodes may be missing or double.
function bareServers(spec: SliceSpec): Resource[] {
  return spec.nodes.map((node, index) => {
    const availabilityZone = node.availabilityZone || spec.availabilityZone;
    const server = { image: node.image, flavor: node.flavor, ports: [], availabilityZone, power: Power.ON };
    return Resource.fromPartial({
      name: String(index),
      kind: { $case: 'server', value: { spec: server, status: undefined } },
    });
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
