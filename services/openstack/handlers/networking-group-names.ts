// From what a user calls a security group, its id or its name in the project, to its id.

import type { FieldViolation } from '#common/errors.ts';
import type { Context } from '#common/rpc-server.ts';
import { unknownName } from '../names.ts';
import { callContext, type Deps } from './deps.ts';
import { readNetworkOwner } from './network-owner.ts';

export type GroupNames = {
  /** The ids, and what is wrong with names that have none, at `security_groups[0]` or at the field given. */
  resolve(
    names: readonly string[],
    projectId: string | undefined,
    context: Context,
    field?: (index: number) => string,
  ): Promise<{ readonly ids: string[]; readonly violations: readonly FieldViolation[] }>;
};

export function createGroupNames({ tenancy }: Deps): GroupNames {
  return {
    async resolve(names, projectId, context, field = (index) => `security_groups[${index}]`) {
      if (names.length === 0) return { ids: [], violations: [] };
      const known = projectId === undefined ? [] : await groupsOf(projectId, context);
      const violations: FieldViolation[] = [];
      const ids = names.flatMap((wanted, index) => {
        const found = known.filter(({ id, name }) => id === wanted || name === wanted);
        const exact = found.find(({ id }) => id === wanted) ?? (found.length === 1 ? found[0] : undefined);
        if (exact) return exact.id;
        // It comes with the project, which is not made yet.
        if (wanted === 'default' && projectId === undefined) return [];
        const message =
          found.length > 1
            ? `"${wanted}" is the name of ${found.length} security groups: give an id`
            : unknownName('security group', wanted, known, {});
        violations.push({ field: field(index), message });
        return [];
      });
      return { ids: [...new Set(ids)], violations };
    },
  };

  async function groupsOf(projectId: string, context: Context) {
    const within = callContext(context);
    const { neutron } = await tenancy.clientsFor(projectId, within);
    const [groups, mine, ownerOf] = await Promise.all([
      neutron.securityGroups.list({ project_id: projectId }, within),
      tenancy.ownerFilter(context.caller),
      readNetworkOwner(tenancy, context),
    ]);
    return groups.filter((group) => group.name === 'default' || mine(ownerOf(group)));
  }
}
