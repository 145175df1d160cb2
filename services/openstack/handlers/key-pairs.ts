// Key pairs. In the cloud all of them belong to the user that our credentials stand for; here each has its owner.

import { Failure, type FieldViolation, invalid, notFound } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import { KeyPair } from '#proto/pucp/openstack/v1/compute.ts';
import type { ComputeServiceServer } from '#proto/pucp/openstack/v1/compute_service.ts';
import type { Keypair } from '../api/nova-keypairs.ts';
import { cloudKeyName, ownKeyName } from '../key-names.ts';
import { callContext, type Deps, utc } from './deps.ts';
import { pageOf } from './page.ts';

type KeyPairHandlers = Pick<
  Handlers<ComputeServiceServer>,
  'listKeyPairs' | 'getKeyPair' | 'createKeyPair' | 'deleteKeyPair'
>;

// Nova counts everybody's together, so that one user takes a part of them at most.
const MAX_PER_USER = 20;
// Nova allows 255 with the owner's mark.
const MAX_NAME = 100;
const MAX_KEY = 16_384;

export function keyPairHandlers({ cloud, tenancy }: Deps): KeyPairHandlers {
  const { nova } = cloud.project('home');

  /** The mark of the user that a request means; NOT_FOUND for someone else's unless the caller is an admin. */
  async function markOf(userId: string, { caller }: Context): Promise<string> {
    const wanted = userId === '' ? caller.userId : userId;
    if (wanted !== caller.userId && caller.role !== 'admin') throw notFound('user', userId);
    return await tenancy.ownerMark({ userId: wanted });
  }

  async function pairsOf(mark: string, context: Context): Promise<KeyPair[]> {
    const all = await nova.listKeypairs(callContext(context));
    return all.flatMap((pair) => {
      const name = ownKeyName(mark, pair.name);
      return name === undefined ? [] : [keyPairView(pair, name)];
    });
  }

  return {
    async listKeyPairs(request, context) {
      const own = await pairsOf(await markOf(request.userId, context), context);
      const { items, nextPageToken } = pageOf(own, request, { key: ({ name }) => name });
      return { keyPairs: items, nextPageToken };
    },

    async getKeyPair({ name, userId }, context) {
      const mark = await markOf(userId, context);
      return keyPairView(
        await known(name, nova.getKeypair(cloudKeyName(mark, name), callContext(context))),
        name,
      );
    },

    async createKeyPair(request, context) {
      const { name } = request;
      const publicKey = request.publicKey.trim();
      const violations = [...check(name, publicKey)];
      if (violations.length > 0) throw invalid(violations);
      const mark = await tenancy.ownerMark(context.caller);
      const own = await pairsOf(mark, context);
      if (own.some((pair) => pair.name === name)) throw taken(name);
      if (own.length >= MAX_PER_USER) throw tooMany(own.length);
      const cloudName = cloudKeyName(mark, name);
      const pair = await nova
        .createKeypair(
          { name: cloudName, ...(publicKey === '' ? {} : { public_key: publicKey }) },
          callContext(context),
        )
        .catch((error: unknown) => {
          throw refusal(error, name);
        });
      return {
        name,
        publicKey: pair.public_key,
        fingerprint: pair.fingerprint,
        privateKey: pair.private_key ?? '',
      };
    },

    async deleteKeyPair({ name, userId }, context) {
      const mark = await markOf(userId, context);
      await known(name, nova.deleteKeypair(cloudKeyName(mark, name), callContext(context)));
      return { message: 'Key pair deleted successfully' };
    },
  };
}

function keyPairView(pair: Keypair, name: string): KeyPair {
  return KeyPair.fromPartial({
    name,
    publicKey: pair.public_key,
    fingerprint: pair.fingerprint,
    createdAt: utc(pair.created_at),
  });
}

/** NOT_FOUND in our user's words: Nova's have the name in the cloud and the user there. */
async function known<T>(name: string, work: Promise<T>): Promise<T> {
  return await work.catch((error: unknown) => {
    throw error instanceof Failure && error.code === 'NOT_FOUND' ? notFound('key pair', name) : error;
  });
}

/** In our user's words as well. */
function refusal(error: unknown, name: string): unknown {
  if (!(error instanceof Failure)) return error;
  if (error.code === 'ALREADY_EXISTS') return taken(name);
  if (error.reason !== 'QUOTA_EXCEEDED') return error;
  return new Failure({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'QUOTA_EXCEEDED',
    message: `There is no room for the key pair "${name}": all users of this orchestrator share the cloud's limit of key pairs, and it is reached. Delete one that you do not need, or ask an admin to raise the quota "key_pairs" of the project that the orchestrator signs in to`,
    cause: error,
    metadata: error.metadata,
  });
}

function tooMany(count: number): Failure {
  return new Failure({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'TOO_MANY_KEY_PAIRS',
    message: `You have ${count} key pairs, and ${MAX_PER_USER} are the most: delete one that you do not need`,
  });
}

function taken(name: string): Failure {
  return new Failure({
    code: 'ALREADY_EXISTS',
    reason: 'KEY_PAIR_EXISTS',
    message: `You have a key pair "${name}" already: choose another name or delete it`,
  });
}

function* check(name: string, publicKey: string): Generator<FieldViolation> {
  if (!/^[\w -]+$/.test(name) || name.trim() !== name || name.length > MAX_NAME) {
    const message = `must have 1 to ${MAX_NAME} letters, digits, dashes, underscores, and spaces between them`;
    yield { field: 'name', message };
  }
  if (publicKey !== '' && !isPublicKey(publicKey)) {
    const message = 'must be one line of OpenSSH\'s format, such as "ssh-ed25519 AAAA… me@laptop"';
    yield { field: 'public_key', message };
  }
}

/** `type blob comment`, where the blob begins with the type once more (RFC 4253 section 6.6). */
function isPublicKey(text: string): boolean {
  const [, type = '', blob = ''] = /^([\w@.-]+) ([A-Za-z0-9+/]+={0,2})(?: [^\r\n]*)?$/.exec(text) ?? [];
  if (!/^(ssh|ecdsa|sk)-/.test(type) || text.length > MAX_KEY) return false;
  const bytes = Buffer.from(blob, 'base64');
  if (bytes.length < 4) return false;
  const length = bytes.readUInt32BE(0);
  return bytes.length > 4 + length && bytes.subarray(4, 4 + length).toString() === type;
}
