// A REST client as a user's script would be one: a token and fetch.

// biome-ignore lint/suspicious/noExplicitAny: what REST answers is looked at field by field by the tests themselves
export type Json = any;

export type Api = {
  readonly token: string;
  /** The raw answer, whatever its status. */
  send(method: string, path: string, body?: unknown): Promise<Response>;
  /** The body of an answer that must be a success. */
  json(method: string, path: string, body?: unknown): Promise<Json>;
  /** The same for a bare array. */
  list(method: string, path: string): Promise<Json[]>;
};

/** Logs in over REST and keeps the token. */
export async function signIn(gateway: string, username: string, password: string): Promise<Api> {
  const { token } = await answer(
    await request(gateway, '', 'POST', '/api/auth/login', { username, password }),
  );
  const send = (method: string, path: string, body?: unknown) => request(gateway, token, method, path, body);
  const json = async (method: string, path: string, body?: unknown) => answer(await send(method, path, body));
  return { token, send, json, list: json };
}

/** Makes an account that nobody had before, and logs it in. */
export async function signUp(gateway: string, username: string): Promise<Api> {
  const account = { username, password: 'a-password-1', email: `${username}@example.edu` };
  await answer(await request(gateway, '', 'POST', '/api/auth/register', account));
  return await signIn(gateway, username, account.password);
}

/** A slice of one network and some nodes, as the README has it. */
export function slice(name: string, nodes = 1): Json {
  return {
    name,
    infrastructure: 'openstack',
    nodes: Array.from({ length: nodes }, (_, i) => ({
      name: `vm${i + 1}`,
      image: 'ubuntu-20.04',
      flavor: 'nano',
    })),
    networks: [{ name: 'net1', cidr: '192.168.100.0/24', network_type: 'private' }],
  };
}

function request(
  gateway: string,
  token: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<Response> {
  return fetch(`${gateway}${path}`, {
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function answer(response: Response): Promise<Json> {
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${response.url}: ${text}`);
  return JSON.parse(text);
}
