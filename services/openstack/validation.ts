// What the cloud has against a wish, found out without touching it: names that do not exist, sizes that do not fit. And
// what the wish takes in all.

import type { FieldViolation } from '#common/errors.ts';
import type { Scope, ValidateResponse, Violation } from '#proto/pucp/driver/v1/driver_service.ts';
import type { Resource, ServerSpec } from '#proto/pucp/driver/v1/resource.ts';
import type { NovaFlavor } from './api/nova-flavors.ts';
import type { CallContext } from './api/settings.ts';
import type { BootImage } from './catalog.ts';
import { createOffers, type OfferDeps } from './offers.ts';

export type Wish = {
  readonly scope: Scope;
  /** Undefined if the owner has no project yet. */
  readonly projectId: string | undefined;
  readonly desired: readonly Resource[];
};

/** All mistakes at once. Throws only if the cloud cannot be asked. */
export async function validate(
  deps: OfferDeps,
  { scope, projectId, desired }: Wish,
  context: CallContext,
): Promise<ValidateResponse> {
  const offers = createOffers(deps, { projectId, scope });
  const zones = new Set((await deps.catalog.zones(context)).map(({ zoneName }) => zoneName));
  const violations: Violation[] = [];
  const totals = { totalVcpus: 0, totalRam: 0, totalDisk: 0 };
  for (const resource of desired) {
    const complain = (field: string, message: string): void => {
      violations.push({
        resourceKind: resource.kind?.$case ?? '',
        resourceName: resource.name,
        field,
        message,
      });
    };
    if (resource.kind?.$case === 'router' && resource.kind.value.spec?.external) {
      const network = await offers.externalNetwork(context);
      if (typeof network === 'string') complain('external', network);
    }
    const volume = resource.kind?.$case === 'volume' ? resource.kind.value.spec : undefined;
    if (volume) {
      const problem = await offers.volumeType(volume.type, context);
      if (problem) complain('type', problem);
    }
    const spec = resource.kind?.$case === 'server' ? resource.kind.value.spec : undefined;
    if (!spec) continue;
    const [image, flavor] = await Promise.all([
      offers.image(spec.image, context),
      offers.flavor(spec.flavor, context),
    ]);
    if (typeof image === 'string') complain('image', image);
    if (typeof flavor === 'string') complain('flavor', flavor);
    if (spec.keyPair !== '') {
      const problem = await offers.keyPair(spec.keyPair, context);
      if (problem) complain('key_pair', problem);
    }
    if (spec.availabilityZone !== '' && !zones.has(spec.availabilityZone)) {
      complain('availability_zone', unknownZone(spec.availabilityZone, zones));
    }
    if (typeof flavor === 'string') continue;
    if (typeof image !== 'string')
      for (const message of misfits(image, flavor, spec)) complain('flavor', message);
    totals.totalVcpus += flavor.vcpus;
    totals.totalRam += flavor.ram;
    totals.totalDisk += flavor.disk;
  }
  return { violations, totals };
}

/** The same mistakes at the fields of a slice's spec: its nodes are the servers, in their order. */
export function asFieldViolations(
  violations: readonly Violation[],
  desired: readonly Resource[],
): FieldViolation[] {
  const servers = desired.filter(({ kind }) => kind?.$case === 'server').map(({ name }) => name);
  return violations.map(({ resourceKind, resourceName, field, message }) => ({
    field:
      resourceKind === 'server'
        ? `nodes[${servers.indexOf(resourceName)}].${field}`
        : `${resourceKind}[${resourceName}].${field}`,
    message,
  }));
}

const GIB = 1024 ** 3;

/** Nova refuses a flavor whose disk or memory is less than the image asks for; disk 0 is as large as the image. */
function* misfits(image: BootImage, flavor: NovaFlavor, asked: ServerSpec): Generator<string> {
  const disk = Math.max(image.min_disk, Math.ceil((image.size ?? 0) / GIB));
  if (flavor.disk > 0 && flavor.disk < disk) {
    yield `"${asked.flavor}" has ${flavor.disk} GiB of disk, and image "${asked.image}" needs ${disk}: choose a larger one`;
  }
  if (flavor.ram < image.min_ram) {
    yield `"${asked.flavor}" has ${flavor.ram} MiB of memory, and image "${asked.image}" needs ${image.min_ram}: choose a larger one`;
  }
}

function unknownZone(wanted: string, zones: ReadonlySet<string>): string {
  return `zone "${wanted}" does not exist; there are: ${[...zones].sort().join(', ') || 'none'}`;
}
