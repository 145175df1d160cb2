// Key pairs, which belong to users, not to projects.

import { createHash, generateKeyPairSync } from 'node:crypto';
import type { Cloud } from '../cloud.ts';
import { type Call, type Json, ok, type Reply, type Route, route } from '../http.ts';
import { nowMicros, pythonText } from '../ids.ts';
import { badRequest, conflict, forbidden, invalidField, notFound, objectOf } from './faults.ts';
import { computeLimits } from './quotas.ts';
import type { KeypairRow } from './rows.ts';

export function keypairRoutes(cloud: Cloud): Route[] {
  return [
    route('GET', '/os-keypairs', ({ caller, minor }) => {
      const rows = cloud.keypairs.by('user_id', caller.userId).sort((a, b) => (a.name < b.name ? -1 : 1));
      return ok({ keypairs: rows.map((row) => ({ keypair: show(row, minor) })) });
    }),
    route('POST', '/os-keypairs', (call) => create(cloud, call)),
    route('GET', '/os-keypairs/{name}', (call) => {
      const row = mustKeypair(cloud, call);
      const times = {
        created_at: row.created_at,
        deleted: false,
        deleted_at: null,
        id: row.number,
        updated_at: null,
      };
      const { type, ...rest } = show(row, call.minor);
      return ok({
        keypair: { ...rest, user_id: row.user_id, ...times, ...(type === undefined ? {} : { type }) },
      });
    }),
    route('DELETE', '/os-keypairs/{name}', (call) => {
      cloud.keypairs.remove(mustKeypair(cloud, call).id);
      return { status: call.minor >= 2 ? 204 : 202 };
    }),
  ];
}

function show(row: KeypairRow, minor: number): Json {
  return {
    name: row.name,
    public_key: row.public_key,
    fingerprint: row.fingerprint,
    ...(minor >= 2 ? { type: row.type } : {}),
  };
}

function mustKeypair(cloud: Cloud, { caller, params }: Call): KeypairRow {
  const row = cloud.keypairs.get(`${caller.userId}/${params.name}`);
  if (!row) throw notFound(`Keypair ${params.name} not found for user ${caller.userId}`);
  return row;
}

function create(cloud: Cloud, { body, caller, minor }: Call): Reply {
  const allowed = [
    'name',
    'public_key',
    ...(minor >= 2 ? ['type'] : []),
    ...(minor >= 10 ? ['user_id'] : []),
  ];
  const required = minor >= 92 ? ['name', 'public_key'] : ['name'];
  // Older clients send type whatever the version; Nova lets 2.1 ignore what it does not know.
  const input = objectOf(body, 'keypair', { allowed: minor < 2 ? [...allowed, 'type'] : allowed, required });
  const name = nameOf(input.name, minor);
  const id = `${caller.userId}/${name}`;
  const most = computeLimits(cloud, caller.projectId).key_pairs ?? -1;
  if (most >= 0 && cloud.keypairs.by('user_id', caller.userId).length >= most) {
    throw forbidden('Quota exceeded, too many key pairs.');
  }
  if (cloud.keypairs.get(id)) throw conflict(`Key pair '${name}' already exists.`);
  const made = input.public_key === undefined ? generate() : undefined;
  const publicKey = made?.publicKey ?? String(input.public_key).trim();
  const [, kind, blob = ''] = /^((?:ssh|ecdsa|sk)-\S+) ([A-Za-z0-9+/=]{20,})/.exec(publicKey) ?? [];
  // The data of a key begins with the name of its kind, after four bytes that say how long that is.
  const data = Buffer.from(blob, 'base64');
  if (kind === undefined || data.subarray(4, 4 + kind.length).toString() !== kind) {
    throw badRequest('Keypair data is invalid: failed to generate fingerprint');
  }
  const digest = createHash('md5').update(data).digest('hex');
  const row = cloud.keypairs.put({
    id,
    user_id: caller.userId,
    name,
    type: String(input.type ?? 'ssh'),
    public_key: publicKey,
    fingerprint: digest.match(/../g)?.join(':') ?? '',
    number: cloud.keypairs.size + 1,
    created_at: nowMicros(),
  });
  const { fingerprint, public_key, type } = show(row, minor);
  const keypair = {
    ...(type === undefined ? {} : { type }),
    ...(made ? { private_key: made.privateKey } : {}),
    name,
    public_key,
    fingerprint,
    user_id: caller.userId,
  };
  return { status: minor >= 2 ? 201 : 200, body: { keypair } };
}

const LETTERS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

function nameOf(value: unknown, minor: number): string {
  if (typeof value !== 'string')
    throw invalidField('name', value, `${pythonText(value)} is not of type 'string'`);
  if (value === '') throw invalidField('name', value, "'' is too short");
  if (value.length > 255) throw invalidField('name', value, `'${value}' is too long`);
  const refused = "An invalid 'name' value was provided. The name must be:";
  if (value.trim() !== value) {
    throw badRequest(`${refused} printable characters. Can not start or end with whitespace.`);
  }
  const signs = minor >= 92 ? '@._- ' : '_- ';
  if ([...value].some((letter) => !LETTERS.includes(letter) && !signs.includes(letter))) {
    throw badRequest(`${refused} Only expected characters: [${signs}${LETTERS}]`);
  }
  return value;
}

function generate(): { publicKey: string; privateKey: string } {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = pair.publicKey.export({ format: 'jwk' });
  const part = (bytes: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const number = (text: string | undefined) =>
    Buffer.concat([Buffer.from([0]), Buffer.from(text ?? '', 'base64url')]);
  const exponent = Buffer.from(jwk.e ?? '', 'base64url');
  const blob = Buffer.concat([part(Buffer.from('ssh-rsa')), part(exponent), part(number(jwk.n))]);
  return {
    publicKey: `ssh-rsa ${blob.toString('base64')} Generated-by-Nova`,
    privateKey: pair.privateKey.export({ format: 'pem', type: 'pkcs1' }).toString(),
  };
}
