// Security groups, the default one of every project included.

import { randomUUID } from 'node:crypto';
import type { Caller } from '../caller.ts';
import type { Cloud } from '../cloud.ts';
import { Fault, type Json } from '../http.ts';
import { type Attributes, STANDARD } from './attributes.ts';
import { bump, isOwn, type Resource, standardRow } from './resource.ts';
import type { GroupRow } from './rows.ts';
import { addRule, ruleInGroup } from './security-group-rules.ts';

const ATTRIBUTES: Attributes = {
  ...STANDARD,
  stateful: { type: 'boolean', on: 'both', initial: true },
  security_group_rules: { type: 'any', on: 'never' },
  shared: { type: 'any', on: 'never' },
};

export function securityGroups(cloud: Cloud): Resource<GroupRow> {
  return {
    singular: 'security_group',
    plural: 'security_groups',
    className: 'SecurityGroup',
    path: '/security-groups',
    quota: 'security_group',
    table: cloud.groups,
    attributes: ATTRIBUTES,
    isNoFilter: ['stateful', 'security_group_rules'],
    isNoSortKey: ['security_group_rules'],
    isVisible: isOwn,
    candidates: (caller, query) => {
      if (caller.projectId !== '') ensureDefaultGroup(cloud, caller.projectId);
      const project = query.get('project_id') ?? query.get('tenant_id');
      if (!caller.isAdmin) return cloud.groups.by('project_id', caller.projectId);
      return project === null ? cloud.groups.all() : cloud.groups.by('project_id', project);
    },
    show: (row) => show(cloud, row),
    create: (input) => {
      ensureDefaultGroup(cloud, String(input.project_id));
      if (input.name === 'default') {
        throw new Fault(409, 'Default security group already exists.', 'SecurityGroupDefaultAlreadyExists');
      }
      return makeGroup(cloud, input);
    },
    update: (row, changes) => {
      if (row.name === 'default' && changes.name !== undefined) {
        throw new Fault(
          409,
          'Updating default security group not allowed.',
          'SecurityGroupCannotUpdateDefault',
        );
      }
      if (changes.name === 'default') {
        throw new Fault(409, 'Default security group already exists.', 'SecurityGroupDefaultAlreadyExists');
      }
      return bump(cloud.groups, row, changes as Partial<GroupRow>);
    },
    remove: (row, caller) => removeGroup(cloud, row, caller),
  };
}

function show(cloud: Cloud, row: GroupRow): Json {
  return {
    id: row.id,
    name: row.name,
    stateful: row.stateful,
    tenant_id: row.project_id,
    description: row.description,
    shared: false,
    security_group_rules: cloud.rules.by('security_group_id', row.id).map(ruleInGroup),
    tags: row.tags,
    created_at: row.created_at,
    updated_at: row.updated_at,
    revision_number: row.revision_number,
    project_id: row.project_id,
  };
}

/** The project's default group, made if it has none: lets out everything and in what comes from the group itself. */
export function ensureDefaultGroup(cloud: Cloud, projectId: string): GroupRow {
  const found = cloud.groups.by('project_id', projectId).find((row) => row.name === 'default');
  if (found) return found;
  const group = makeGroup(cloud, {
    project_id: projectId,
    name: 'default',
    description: 'Default security group',
  });
  for (const ethertype of ['IPv4', 'IPv6']) {
    addRule(cloud, { group, direction: 'ingress', ethertype, remoteGroupId: group.id });
  }
  return group;
}

/** A group that lets out everything and lets in nothing. */
export function makeGroup(cloud: Cloud, input: Json): GroupRow {
  const group: GroupRow = {
    ...standardRow(input),
    id: randomUUID(),
    stateful: input.stateful !== false,
    revision_number: 1,
  };
  cloud.groups.put(group);
  for (const ethertype of ['IPv4', 'IPv6']) addRule(cloud, { group, direction: 'egress', ethertype });
  return group;
}

/** Deletes a group and its rules, or throws why it cannot be deleted. */
export function removeGroup(cloud: Cloud, row: GroupRow, caller: Caller): void {
  const isUsed = cloud.ports
    .by('project_id', row.project_id)
    .some((port) => port.security_groups.includes(row.id));
  if (isUsed) throw new Fault(409, `Security Group ${row.id} in use.`, 'SecurityGroupInUse');
  if (row.name === 'default' && !caller.isAdmin) {
    throw new Fault(
      409,
      'Insufficient rights for removing default security group.',
      'SecurityGroupCannotRemoveDefault',
    );
  }
  for (const rule of cloud.rules.by('security_group_id', row.id)) cloud.rules.remove(rule.id);
  cloud.groups.remove(row.id);
}
