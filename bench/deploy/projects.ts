// Projects for contenders, and what a cloud has written down of them.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { wait } from '#common/time.ts';
import type { Json } from '../../tests/support/api.ts';
import { type Administrator, logIn } from '../../tests/support/openstack.ts';

/** A project of its own, without limits, with the administrator in it; nothing if it is there. */
export async function makeProject(administrator: Administrator, name: string): Promise<void> {
  const admin = await logIn(administrator);
  const { projects } = await admin.call('GET', 'identity', `/projects?name=${name}`);
  const id =
    projects[0]?.id ?? (await admin.call('POST', 'identity', '/projects', { project: { name } })).project.id;
  const { users } = await admin.call('GET', 'identity', `/users?name=${administrator.name}`);
  const { roles } = await admin.call('GET', 'identity', '/roles');
  for (const role of roles.filter((one: Json) =>
    ['admin', 'member', 'heat_stack_owner'].includes(one.name),
  )) {
    await admin.call('PUT', 'identity', `/projects/${id}/users/${users[0].id}/roles/${role.id}`);
  }
  const compute = { instances: -1, cores: -1, ram: -1 };
  await admin.call('PUT', 'compute', `/os-quota-sets/${id}`, { quota_set: compute });
  const network = { network: -1, subnet: -1, port: -1 };
  await admin.call('PUT', 'network', `/quotas/${id}`, { quota: network });
}

/** Asks again until the answer is there. */
export async function until<T>(ask: () => Promise<T | undefined>, everyMs: number): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await wait(everyMs);
  }
}

/**
 * Requests for a project that Nova's, Neutron's and Cinder's API servers have written down so far, those that Nova makes of
 * Neutron with the user's token included; undefined if their logs (OPENSTACK_LOGS) are not at hand.
 */
export function loggedRequests(projectId: string): number | undefined {
  const folder = process.env.OPENSTACK_LOGS;
  if (!folder || !existsSync(folder)) return undefined;
  const files = readdirSync(folder).filter((file) =>
    /^(nova-api|neutron-server|cinder-api)\.log$/.test(file),
  );
  const lines = files.flatMap((file) => readFileSync(join(folder, file), 'utf8').split('\n'));
  return lines.filter((line) => line.includes(` ${projectId} `) && /"(GET|POST|PUT|PATCH|DELETE) /.test(line))
    .length;
}
