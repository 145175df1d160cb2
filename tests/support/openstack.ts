// OpenStack with nothing between: fetch, one token, no retries. For whoever must not see the cloud with our own client's eyes.

import type { Json } from './api.ts';

export type Openstack = {
  readonly projectId: string;
  /** `service` is a type of the catalog. Rejects with what the cloud said if that is no success. */
  call(method: string, service: string, path: string, body?: unknown): Promise<Json>;
  /** Calls so far. */
  calls(): number;
};

/** An administrator; OS_* of the environment name one. */
export type Administrator = { readonly authUrl: string; readonly name: string; readonly password: string };

/** Rejects if OS_* name no cloud. */
export function administrator(): Administrator {
  const { OS_AUTH_URL: authUrl, OS_USERNAME: name = '', OS_PASSWORD: password = '' } = process.env;
  if (!authUrl) throw new Error('OS_* name no cloud');
  return { authUrl, name, password };
}

/** Logs in to a project of the domain Default, its own one called admin if it is not named by name or id. */
export async function logIn(
  { authUrl, name, password }: Administrator,
  project: { readonly name: string } | { readonly id: string } = { name: 'admin' },
): Promise<Openstack> {
  const domain = { name: 'Default' };
  const response = await fetch(`${authUrl}/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user: { name, domain, password } } },
        scope: { project: 'id' in project ? project : { ...project, domain } },
      },
    }),
  });
  if (!response.ok) throw new Error(`no token for ${JSON.stringify(project)}: ${await response.text()}`);
  const { token }: Json = await response.json();
  const headers = {
    'x-auth-token': response.headers.get('x-subject-token') ?? '',
    'x-openstack-nova-api-version': '2.93',
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

export async function removeProject(administrator: Administrator, name: string): Promise<void> {
  const admin = await logIn(administrator);
  const { projects } = await admin.call('GET', 'identity', `/projects?name=${name}`);
  for (const { id } of projects) await admin.call('DELETE', 'identity', `/projects/${id}`);
}
