// Making a server: every name is looked up and every mistake told before anything is made, the user's project included.

import { type FieldViolation, invalid } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import type {
  CreateInstanceRequest,
  OpenstackServiceServer,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import type { NeutronNetwork } from '../api/neutron-types.ts';
import type { NovaFlavor } from '../api/nova-flavors.ts';
import type { BootDevice } from '../api/nova-servers.ts';
import type { BootImage } from '../catalog.ts';
import { ownKeyName } from '../key-names.ts';
import { isSliceId, serverLabels } from '../marks.ts';
import { resolve, unknownName } from '../names.ts';
import type { Place } from '../tenancy.ts';
import { usableImages } from '../usable-images.ts';
import { readBootVolume } from './boot-volume.ts';
import { callContext, type Deps } from './deps.ts';
import { checkMetadata } from './metadata-check.ts';
import { readNetworkOwner } from './network-owner.ts';

/** What the request's names stand for. */
type Chosen = {
  /** Absent if it boots from a volume that exists. */
  readonly image: BootImage | undefined;
  /** The volume it boots from, if it does. */
  readonly bootDevice: BootDevice | undefined;
  readonly flavor: NovaFlavor;
  readonly networks: readonly NeutronNetwork[];
  /** What the key pair is called in the cloud. */
  readonly keyName: string | undefined;
};

// Nova's limits (api-ref, "Create Server").
const MAX_NAME = 255;
const MAX_METADATA = 128;

export function createInstanceHandler(deps: Deps): Handlers<OpenstackServiceServer>['createInstance'] {
  const { tenancy } = deps;
  return async (request, context) => {
    const { caller } = context;
    const within = callContext(context);
    // A user without a project yet gets one only after everything else has been found right.
    const existing =
      request.projectId === ''
        ? await tenancy.findPlace(caller, within)
        : await tenancy.named(caller, request.projectId, within);
    const chosen = await choose(deps, request, existing, context);
    const place = existing ?? (await tenancy.place(caller, within));

    const { metadata, tags } = serverLabels({
      ownerMark: await tenancy.ownerMark(caller),
      sliceId: request.sliceId,
    });
    const { id } = await place.clients.nova.createServer(
      {
        name: request.instanceName,
        flavorRef: chosen.flavor.id,
        ...(chosen.bootDevice
          ? { block_device_mapping_v2: [chosen.bootDevice] }
          : { imageRef: chosen.image?.id ?? '' }),
        networks: chosen.networks.length === 0 ? 'none' : chosen.networks.map((one) => ({ uuid: one.id })),
        tags,
        metadata: { ...request.metadata, ...metadata },
        ...(request.availabilityZone === '' ? {} : { availability_zone: request.availabilityZone }),
        ...(chosen.keyName === undefined ? {} : { key_name: chosen.keyName }),
        ...(chosen.networks.length === 0
          ? {}
          : { security_groups: groupsOf(request).map((name) => ({ name })) }),
      },
      within,
    );
    return {
      id,
      instanceName: request.instanceName,
      openstackInstanceId: id,
      status: 'build',
      message: 'Instance created successfully',
    };
  };
}

function groupsOf({ securityGroups }: CreateInstanceRequest): readonly string[] {
  return securityGroups.length === 0 ? ['default'] : securityGroups;
}

async function choose(
  deps: Deps,
  request: CreateInstanceRequest,
  place: Place | undefined,
  context: Context,
): Promise<Chosen> {
  const { catalog, config, cloud, tenancy } = deps;
  const within = callContext(context);
  const { nova, neutron } = place?.clients ?? cloud.project('home');
  const mine = await tenancy.ownerFilter(context.caller);
  const networkOwner = await readNetworkOwner(tenancy, context);
  const ownerMark = await tenancy.ownerMark(context.caller);
  const [images, flavors, zones, networks, groups, keys] = await Promise.all([
    usableImages(deps, { projectId: place?.projectId, owner: context.caller }, within),
    catalog.flavors(place ? [place.projectId] : [], within),
    request.availabilityZone === '' ? [] : catalog.zones(within),
    request.networks.length === 0 ? [] : neutron.networks.list({}, within),
    // A group `default` comes with every project.
    place && request.securityGroups.some((name) => name !== 'default')
      ? neutron.securityGroups.list({ project_id: place.projectId, fields: ['id', 'name'] }, within)
      : [],
    request.keyName === '' ? [] : nova.listKeypairs(within),
  ]);
  const usable = networks.filter((network) => {
    if (network.shared || network['router:external']) return true;
    return place !== undefined && network.project_id === place.projectId && mine(networkOwner(network));
  });

  const violations: FieldViolation[] = [...checkText(request)];
  const image = resolve(request.imageId, images, config.images);
  const needsImage = request.imageId !== '' || !request.bootVolume?.volumeId;
  if (!image && needsImage) {
    violations.push(unknown('image_id', 'image', request.imageId, images, config.images));
  }
  const flavor = resolve(request.flavorId, flavors, config.flavors);
  if (!flavor) violations.push(unknown('flavor_id', 'flavor', request.flavorId, flavors, config.flavors));
  if (image && flavor) violations.push(...checkMemory(image, flavor));
  if (image && flavor && !request.bootVolume) violations.push(...checkDisk(image, flavor));
  const boot = await readBootVolume(deps, { request, place, image, flavor }, context);
  violations.push(...boot.violations);
  const chosen = request.networks.flatMap((wanted, index) => {
    const field = `networks[${index}]`;
    const named = usable.filter(({ id, name }) => id === wanted || name === wanted);
    const exact = named.find(({ id }) => id === wanted);
    if (exact || named.length === 1) return exact ?? named;
    if (named.length === 0) violations.push(unknown(field, 'network', wanted, usable, {}));
    else
      violations.push({ field, message: `"${wanted}" is the name of ${named.length} networks: give an id` });
    return [];
  });
  const zoneNames = zones.map(({ zoneName }) => ({ id: zoneName, name: zoneName }));
  if (request.availabilityZone !== '' && !resolve(request.availabilityZone, zoneNames, {})) {
    violations.push(unknown('availability_zone', 'zone', request.availabilityZone, zoneNames, {}));
  }
  for (const [index, name] of request.securityGroups.entries()) {
    if (name !== 'default' && !resolve(name, groups, {})) {
      violations.push(unknown(`security_groups[${index}]`, 'security group', name, groups, {}));
    }
  }
  const ownKeys = keys.flatMap(({ name: cloudName }) => {
    const name = ownKeyName(ownerMark, cloudName);
    return name === undefined ? [] : [{ id: cloudName, name }];
  });
  const key = ownKeys.find(({ name }) => name === request.keyName);
  if (request.keyName !== '' && !key) {
    violations.push(unknown('key_name', 'key pair', request.keyName, ownKeys, {}));
  }
  if (violations.length > 0 || !flavor) throw invalid(violations);
  return { image, bootDevice: boot.device, flavor, networks: chosen, keyName: key?.id };
}

function unknown(field: string, what: string, wanted: string, ...known: Known): FieldViolation {
  const message =
    wanted === '' ? `is missing: name ${article(what)} ${what}` : unknownName(what, wanted, ...known);
  return { field, message };
}

type Known = [items: Parameters<typeof unknownName>[2], table: Parameters<typeof unknownName>[3]];

function article(noun: string): string {
  return /^[aeiou]/.test(noun) ? 'an' : 'a';
}

function* checkText(request: CreateInstanceRequest): Generator<FieldViolation> {
  const { instanceName, sliceId, metadata } = request;
  if (instanceName.trim() === '' || instanceName.length > MAX_NAME) {
    yield { field: 'instance_name', message: `must have 1 to ${MAX_NAME} characters` };
  }
  if (sliceId !== '' && !isSliceId(sliceId)) {
    yield {
      field: 'slice_id',
      message: 'must have at most 40 letters, digits, dashes, dots and underscores',
    };
  }
  yield* checkMetadata(metadata, MAX_METADATA - 2);
}

function* checkDisk(image: BootImage, flavor: NovaFlavor): Generator<FieldViolation> {
  // A flavor without a disk takes the image's size.
  if (flavor.disk > 0 && image.min_disk > flavor.disk) {
    const message = `image "${image.name}" needs ${image.min_disk} GiB of disk, and "${flavor.name}" has ${flavor.disk}`;
    yield { field: 'flavor_id', message };
  }
}

function* checkMemory(image: BootImage, flavor: NovaFlavor): Generator<FieldViolation> {
  if (image.min_ram > flavor.ram) {
    const message = `image "${image.name}" needs ${image.min_ram} MiB of memory, and "${flavor.name}" has ${flavor.ram}`;
    yield { field: 'flavor_id', message };
  }
}
