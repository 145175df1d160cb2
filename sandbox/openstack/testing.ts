// A small client for the sandbox's own tests: plain fetch, nothing of the mesh's.

import { silentLog } from '#common/log.ts';
import { type Sandbox, type SandboxOptions, startSandbox } from './server.ts';

export type Answer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of many shapes, and a wrong guess fails them anyway.
  readonly body: any;
};

export type Session = {
  readonly token: string;
  readonly projectId: string;
  /** `service` is one of SERVICES, `path` comes after its prefix. */
  call(
    method: string,
    service: ServiceName,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
};

const SERVICES = {
  identity: '/identity/v3',
  compute: '/compute/v2.1',
  network: '/networking/v2.0',
  image: '/image/v2',
  volume: '/volume/v3',
} as const;
export type ServiceName = keyof typeof SERVICES;

export function start(options: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  return startSandbox({ port: 0, log: silentLog, buildDelayMs: 20, ...options });
}

export async function request(
  url: string,
  method: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: { accept: 'application/json', 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parse(text) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export function passwordAuth(name: string, password: string, scope?: unknown) {
  const user = { name, password, domain: { id: 'default' } };
  return { auth: { identity: { methods: ['password'], password: { user } }, ...(scope ? { scope } : {}) } };
}

export async function logIn(
  sandbox: Sandbox,
  name = 'admin',
  password = 'sandbox',
  project = name,
): Promise<Session> {
  const scope = { project: { name: project, domain: { id: 'default' } } };
  const answer = await request(`${sandbox.authUrl}/auth/tokens`, 'POST', passwordAuth(name, password, scope));
  const token = answer.headers.get('x-subject-token') ?? '';
  return {
    token,
    projectId: answer.body.token.project.id,
    call: (method, service, path, body, headers = {}) =>
      request(`${sandbox.url}${SERVICES[service]}${path}`, method, body, {
        'x-auth-token': token,
        ...headers,
      }),
  };
}

/** Asks again until the test holds; fails after ten seconds. */
export async function until<T>(ask: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const value = await ask();
    if (holds(value)) return value;
    if (Date.now() > deadline) throw new Error(`still not so after ten seconds: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
