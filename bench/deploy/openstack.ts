// OpenStack with nothing between: fetch, one token, no retries. The bare script and Heat's client use it, and whoever has to
// make projects and count what the cloud was asked.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { wait } from '#common/time.ts';

// biome-ignore lint/suspicious/noExplicitAny: a benchmark reads what the cloud answers without checking it
export type Json = any;

export type Openstack = {
  readonly projectId: string;
  /** `service` is a type of the catalog. Rejects with what the cloud said if that is no success. */
  call(method: string, service: string, path: string, body?: unknown): Promise<Json>;
  /** Calls so far. */
  calls(): number;
};

/** Logs in as the administrator that OS_* name, in a project. */
export async function logIn(project = process.env.OS_PROJECT_NAME): Promise<Openstack> {
  const { OS_AUTH_URL: authUrl, OS_USERNAME: name, OS_PASSWORD: password } = process.env;
  if (!authUrl) throw new Error('OS_* name no cloud: this benchmark runs on a real OpenStack');
  const domain = { name: 'Default' };
  const response = await fetch(`${authUrl}/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user: { name, domain, password } } },
        scope: { project: { name: project, domain } },
      },
    }),
  });
  if (!response.ok) throw new Error(`no token for project ${project}: ${await response.text()}`);
  const { token }: Json = await response.json();
  const headers = {
    'x-auth-token': response.headers.get('x-subject-token') ?? '',
    'openstack-api-version': 'compute 2.93',
    'content-type': 'application/json',
  };
  const urls = new Map<string, string>(
    token.catalog.map(({ type, endpoints }: Json) => [
      type,
      endpoints.find((endpoint: Json) => endpoint.interface === 'public').url,
    ]),
  );
  let calls = 1;
  return {
    projectId: token.project.id,
    calls: () => calls,
    async call(method, service, path, body) {
      calls += 1;
      const url =
        service === 'identity' ? authUrl : `${urls.get(service)}${service === 'network' ? '/v2.0' : ''}`;
      const answer = await fetch(url + path, {
        method,
        headers,
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path} is a ${answer.status}: ${text}`);
      return text === '' ? undefined : JSON.parse(text);
    },
  };
}

/** A project of its own, without limits, with the administrator in it; nothing if it is there. */
export async function makeProject(name: string): Promise<void> {
  const admin = await logIn();
  const { projects } = await admin.call('GET', 'identity', `/projects?name=${name}`);
  const id =
    projects[0]?.id ?? (await admin.call('POST', 'identity', '/projects', { project: { name } })).project.id;
  const { users } = await admin.call('GET', 'identity', `/users?name=${process.env.OS_USERNAME}`);
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

export async function removeProject(name: string): Promise<void> {
  const admin = await logIn();
  const { projects } = await admin.call('GET', 'identity', `/projects?name=${name}`);
  for (const { id } of projects) await admin.call('DELETE', 'identity', `/projects/${id}`);
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
