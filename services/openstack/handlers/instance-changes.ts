// What remakes a server: another size, another image, another name; and copies and words it gives out.

import { Failure, type FieldViolation, invalid } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import type { ComputeServiceServer } from '#proto/pucp/openstack/v1/compute_service.ts';
import type { Instance } from '#proto/pucp/openstack/v1/openstack.ts';
import type { Server } from '../api/nova-servers.ts';
import { OWNER_MARK } from '../marks.ts';
import { type Named, resolve, unknownName } from '../names.ts';
import type { NameTable } from '../tables.ts';
import { usableImages } from '../usable-images.ts';
import { callContext, type Deps } from './deps.ts';
import { isReserved } from './images-view.ts';
import type { Instances } from './instance-find.ts';
import { refusalOf } from './instance-refusals.ts';
import { checkMetadata } from './metadata-check.ts';

type ChangeHandlers = Pick<
  Handlers<ComputeServiceServer>,
  | 'resizeInstance'
  | 'confirmInstanceResize'
  | 'revertInstanceResize'
  | 'rebuildInstance'
  | 'snapshotInstance'
  | 'getConsoleLog'
  | 'updateInstance'
>;

// Nova's limits, and Glance's for an image's name.
const MAX_NAME = 255;
const MAX_PROPERTIES = 100;
const USUAL_LINES = 100;
const MAX_LINES = 10_000;

export function instanceChangeHandlers(deps: Deps, instances: Instances): ChangeHandlers {
  const { catalog, config, tenancy } = deps;

  async function endResize(
    id: string,
    context: Context,
    action: 'confirmResize' | 'revertResize',
  ): Promise<Instance> {
    const server = await instances.find(id, context);
    const nova = await instances.changerOf(server, context);
    if (server.status !== 'VERIFY_RESIZE') throw notResized(server);
    await nova.actOnServer(id, action, callContext(context));
    return await instances.look(id, context);
  }

  return {
    async resizeInstance({ id, flavorId }, context) {
      const within = callContext(context);
      const server = await instances.find(id, context);
      const flavors = await catalog.flavors([server.tenant_id], within);
      const flavor = chosen('flavor', flavorId, flavors, config.flavors);
      if (flavor.name === server.flavor.original_name) {
        const message = `"${server.name}" has flavor "${flavor.name}" already: name another`;
        throw invalid([{ field: 'flavor_id', message }]);
      }
      const nova = await instances.changerOf(server, context);
      await nova.resizeServer(id, flavor.id, within).catch(refusalOf(server));
      return await instances.look(id, context);
    },

    confirmInstanceResize: ({ id }, context) => endResize(id, context, 'confirmResize'),
    revertInstanceResize: ({ id }, context) => endResize(id, context, 'revertResize'),

    async rebuildInstance({ id, imageId }, context) {
      const within = callContext(context);
      const server = await instances.find(id, context);
      const images = await usableImages(deps, { projectId: server.tenant_id, owner: context.caller }, within);
      const image = chosen('image', imageId, images, config.images);
      const nova = await instances.changerOf(server, context);
      await nova.rebuildServer(id, image.id, within).catch(refusalOf(server));
      return await instances.look(id, context);
    },

    async snapshotInstance({ id, name, metadata }, context) {
      const within = callContext(context);
      const server = await instances.find(id, context);
      const violations = [...checkName('name', name), ...checkProperties(metadata)];
      if (violations.length > 0) throw invalid(violations);
      const { nova } = await instances.clientsFor(server, context);
      const mark = { [OWNER_MARK]: await tenancy.ownerMark(context.caller) };
      const image = { name, metadata: { ...metadata, ...mark } };
      const imageId = await nova.snapshotServer(id, image, within).catch(refusalOf(server));
      catalog.forgetImages();
      return { imageId, name, instanceId: id, status: 'queued' };
    },

    async getConsoleLog({ id, lines }, context) {
      const server = await instances.find(id, context);
      if (lines < 0 || lines > MAX_LINES) {
        throw invalid([{ field: 'lines', message: `must be 1 to ${MAX_LINES}, or 0 for ${USUAL_LINES}` }]);
      }
      const { nova } = await instances.clientsFor(server, context);
      return { output: await nova.getConsoleLog(id, lines || USUAL_LINES, callContext(context)) };
    },

    async updateInstance({ id, instanceName }, context) {
      const server = await instances.find(id, context);
      if (instanceName === undefined) return await instances.view(server, context);
      const violations = [...checkName('instance_name', instanceName)];
      if (violations.length > 0) throw invalid(violations);
      const nova = await instances.changerOf(server, context);
      await nova.updateServer(id, { name: instanceName }, callContext(context));
      return await instances.look(id, context);
    },
  };
}

/** The item meant, or INVALID_ARGUMENT with those that exist. */
function chosen<T extends Named>(
  what: 'flavor' | 'image',
  wanted: string,
  items: readonly T[],
  table: NameTable,
): T {
  const item = resolve(wanted, items, table);
  if (item) return item;
  const message = wanted === '' ? 'is missing: name one' : unknownName(what, wanted, items, table);
  throw invalid([{ field: `${what}_id`, message }]);
}

function* checkName(field: string, name: string): Generator<FieldViolation> {
  if (name === '' || name.trim() !== name || name.length > MAX_NAME) {
    yield { field, message: `must have 1 to ${MAX_NAME} characters, without spaces around them` };
  }
}

/** Nova hands them to Glance as they are, with our token: a field of Glance's, such as `owner`, would be set by it. */
function* checkProperties(metadata: Readonly<Record<string, string>>): Generator<FieldViolation> {
  yield* checkMetadata(metadata, MAX_PROPERTIES);
  for (const key of Object.keys(metadata)) {
    if (!isReserved(key)) continue;
    yield { field: `metadata[${key}]`, message: `"${key}" is not a name for a property: choose another` };
  }
}

function notResized({ id, name, status }: Server): Failure {
  return new Failure({
    code: 'ABORTED',
    reason: 'INSTANCE_NOT_RESIZED',
    message: `Instance "${name}" is ${status.toLowerCase()}: only a resized one, in verify_resize, can be confirmed or reverted`,
    metadata: { instance_id: id, status: status.toLowerCase() },
  });
}
