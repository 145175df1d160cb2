// Who may use a private flavor, and the extra specs of flavors.

import { Failure, type FieldViolation, invalid, notFound } from '#common/errors.ts';
import type { Handlers } from '#common/rpc-server.ts';
import type {
  ComputeServiceServer,
  MergeFlavorExtraSpecsRequest,
} from '#proto/pucp/openstack/v1/compute_service.ts';
import { absentIsDone } from '../api/errors.ts';
import type { NovaFlavor } from '../api/nova-flavors.ts';
import { resolve } from '../names.ts';
import { callContext, type Deps } from './deps.ts';
import { visibleFlavors } from './flavor-view.ts';
import { findFlavor } from './flavors.ts';
import { projectNames } from './listing.ts';
import { isKey } from './metadata-check.ts';
import { pageOf } from './page.ts';

type FlavorExtraHandlers = Pick<
  Handlers<ComputeServiceServer>,
  | 'listFlavorAccess'
  | 'addFlavorAccess'
  | 'removeFlavorAccess'
  | 'getFlavorExtraSpecs'
  | 'mergeFlavorExtraSpecs'
  | 'deleteFlavorExtraSpec'
>;

const MAX_SPECS = 50;

export function flavorExtraHandlers(deps: Deps): FlavorExtraHandlers {
  const { cloud, tenancy, config } = deps;
  const { nova } = cloud.project('home');

  return {
    async listFlavorAccess(request, context) {
      const within = callContext(context);
      const flavor = await findFlavor(nova, request.id, within);
      if (isPublic(flavor)) return { projects: [], nextPageToken: '' };
      const [access, names] = await Promise.all([
        nova.listFlavorAccess(flavor.id, within),
        projectNames(tenancy, context),
      ]);
      const { items, nextPageToken } = pageOf(access, request, { key: ({ tenant_id }) => tenant_id });
      const projects = items.map(({ tenant_id: projectId }) => {
        return { flavorId: flavor.id, projectId, projectName: names.get(projectId) ?? '' };
      });
      return { projects, nextPageToken };
    },

    async addFlavorAccess({ id, projectId }, context) {
      if (projectId === '') throw invalid([{ field: 'project_id', message: 'is missing: name a project' }]);
      const within = callContext(context);
      const flavor = await findFlavor(nova, id, within);
      if (isPublic(flavor)) throw isForAll(flavor);
      const project = await tenancy.find(context.caller, projectId, within);
      await nova.addFlavorAccess(flavor.id, project.id, within).catch((error: unknown) => {
        throw error instanceof Failure && error.code === 'ALREADY_EXISTS'
          ? hasIt(flavor, project.name)
          : error;
      });
      return { flavorId: flavor.id, projectId: project.id, projectName: project.name };
    },

    async removeFlavorAccess({ id, projectId }, context) {
      const within = callContext(context);
      const flavor = await findFlavor(nova, id, within);
      if (isPublic(flavor)) throw isForAll(flavor);
      const project = await tenancy.find(context.caller, projectId, within);
      await absentIsDone(nova.removeFlavorAccess(flavor.id, project.id, within));
      return { message: 'The project may not use the flavor' };
    },

    async getFlavorExtraSpecs({ id }, context) {
      const flavor = resolve(id, await visibleFlavors(deps, context), config.flavors);
      if (!flavor) throw notFound('flavor', id);
      return { extraSpecs: { ...(await nova.getExtraSpecs(flavor.id, callContext(context))) } };
    },

    async mergeFlavorExtraSpecs(request, context) {
      const violations = [...checkSpecs(request)];
      if (violations.length > 0) throw invalid(violations);
      const within = callContext(context);
      const flavor = await findFlavor(nova, request.id, within);
      const { extraSpecs } = request;
      if (Object.keys(extraSpecs).length > 0) await nova.addExtraSpecs(flavor.id, extraSpecs, within);
      return { extraSpecs: { ...(await nova.getExtraSpecs(flavor.id, within)) } };
    },

    async deleteFlavorExtraSpec({ id, key }, context) {
      const within = callContext(context);
      const flavor = await findFlavor(nova, id, within);
      await absentIsDone(nova.removeExtraSpec(flavor.id, key, within));
      return { extraSpecs: { ...(await nova.getExtraSpecs(flavor.id, within)) } };
    },
  };
}

function isPublic(flavor: NovaFlavor): boolean {
  return flavor['os-flavor-access:is_public'];
}

function hasIt({ id, name }: NovaFlavor, projectName: string): Failure {
  return new Failure({
    code: 'ALREADY_EXISTS',
    reason: 'FLAVOR_ACCESS_EXISTS',
    message: `Project "${projectName}" may use flavor "${name}" already`,
    metadata: { flavor_id: id },
  });
}

function isForAll({ id, name }: NovaFlavor): Failure {
  return new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'FLAVOR_PUBLIC',
    message: `Flavor "${name}" is public: every project may use it; make a private one, with "is_public": false`,
    metadata: { flavor_id: id },
  });
}

function* checkSpecs({ extraSpecs }: MergeFlavorExtraSpecsRequest): Generator<FieldViolation> {
  const entries = Object.entries(extraSpecs);
  if (entries.length > MAX_SPECS) yield { field: 'extra_specs', message: `must be at most ${MAX_SPECS}` };
  for (const [key, value] of entries) {
    const field = `extra_specs[${key}]`;
    if (!isKey(key)) yield { field, message: 'names must have 1 to 255 letters, digits, spaces and _ : . -' };
    if (value.length > 255) yield { field, message: 'must have at most 255 characters' };
  }
}
