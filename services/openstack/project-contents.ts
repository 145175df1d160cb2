// What the services keep for a project beside its things: quotas, and Neutron's default security group. Keystone knows
// nothing of it and does not take it away with the project.

import { Failure } from '#common/errors.ts';
import type { Cloud } from './api/cloud.ts';
import { absentIsDone } from './api/errors.ts';
import type { CallContext } from './api/settings.ts';
import type { ProjectQuotas } from './tables.ts';

/** Side by side in the three services; Cinder's are left out where a cloud has none. */
export async function setQuotas(
  cloud: Cloud,
  projectId: string,
  limits: ProjectQuotas,
  context: CallContext,
): Promise<void> {
  const { nova, neutron, cinder } = cloud.project('home');
  const { instances, cores, ram, volumes, gigabytes, snapshots } = limits;
  await Promise.all([
    nova.setQuotas(projectId, { instances, cores, ram }, context),
    neutron.setQuotas(
      projectId,
      {
        network: limits.networks,
        subnet: limits.subnets,
        port: limits.ports,
        router: limits.routers,
        floatingip: limits.floating_ips,
        security_group: limits.security_groups,
        security_group_rule: limits.security_group_rules,
      },
      context,
    ),
    optional(cinder.setQuotas(projectId, { volumes, gigabytes, snapshots }, context)),
  ]);
}

/** Removes an empty project and what services keep for it: Keystone does not cascade. */
export async function removeProject(cloud: Cloud, projectId: string, context: CallContext): Promise<void> {
  const { keystone, nova, neutron, cinder } = cloud.project('home');
  // Neutron makes this group by itself, and it outlives the project.
  const groups = await neutron.securityGroups.list({ project_id: projectId, name: 'default' }, context);
  for (const group of groups) {
    // Listing a project's groups makes the default one anew while the project lives: quotas and groups go right before it.
    await absentIsDone(neutron.securityGroups.remove(group.id, context));
  }
  await Promise.all([
    absentIsDone(nova.deleteQuotas(projectId, context)),
    absentIsDone(neutron.deleteQuotas(projectId, context)),
    absentIsDone(optional(cinder.deleteQuotas(projectId, context))),
  ]);
  await absentIsDone(keystone.deleteProject(projectId, context));
}

/** What a cloud without Cinder does not have is not missed. */
export async function optional<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Failure && error.reason === 'ENDPOINT_MISSING') return undefined;
    throw error;
  }
}
