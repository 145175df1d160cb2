// Every rpc of every service, called with every role and with what belongs to someone else: that does not exist, in the
// same words as what never existed. Examples of the rpcs are in `ownership/`, a file per service.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { CallerRole } from '#common/caller.ts';
import { Failure } from '#common/errors.ts';
import type { Access } from '#proto/pucp/api/v1/options.ts';
import {
  ListInstancesRequest,
  ListNetworksRequest,
  ListVolumesRequest,
} from '#proto/pucp/openstack/v1/openstack_service.ts';
import { type Contract, type ContractUser, failureOf, isRealCloud, startContract } from './contract.ts';
import { allPaths, type Examples, loadExamples, type Things } from './ownership-examples.ts';
import { createWalk, nothingLike, type Rpc, type Walk } from './ownership-walk.ts';

let contract: Contract;
let owner: ContractUser;
let stranger: ContractUser;
/** What the owner has, and what the stranger has. */
let things: Things = {};
let own: Things = {};
let walk: Walk;
let examples: readonly Examples[] = [];
const makers: { user: ContractUser; made: Things }[] = [];

before(async () => {
  contract = await startContract();
  owner = await contract.user();
  examples = await loadExamples();
  stranger = await contract.user('professor');
  [things, own] = (await Promise.all([owner, stranger].map(makeThings))) as [Things, Things];
  walk = createWalk(examples, contract.url);
});
after(async () => {
  walk?.close();
  for (const { clean } of examples) {
    for (const { user, made } of makers) await clean(contract, user, made);
  }
  await contract.close();
});

async function makeThings(user: ContractUser): Promise<Things> {
  const [first, ...others] = examples;
  const base = (await first?.make(contract, user, {})) ?? {};
  const more = await Promise.all(others.map(({ make }) => make(contract, user, base)));
  const made: Things = Object.assign({}, base, ...more);
  makers.push({ user, made });
  const missing = Object.entries(made).filter(([, id]) => id === '');
  assert.deepEqual(missing, []);
  return made;
}

const ALLOWED: Readonly<Record<CallerRole, readonly Access[]>> = {
  guest: ['ACCESS_READ'],
  student: ['ACCESS_READ', 'ACCESS_WRITE'],
  professor: ['ACCESS_READ', 'ACCESS_WRITE'],
  admin: ['ACCESS_READ', 'ACCESS_WRITE', 'ACCESS_ADMIN'],
};
/** Students and professors may do the same, which on a slow cloud is not worth the time. */
const PEOPLE = isRealCloud ? (['guest', 'student'] as const) : (['guest', 'student', 'professor'] as const);

/** The rpcs that a role may call, or those that it may not. */
function rpcsFor(role: CallerRole, isAllowed: boolean): readonly Rpc[] {
  return walk.rpcs.filter(({ access }) => ALLOWED[role].includes(access) === isAllowed);
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => 'OK',
    (error: unknown) => (error instanceof Failure ? error.code : String(error)),
  );
}

/** The codes by rpc, all called at once. */
async function codesOf(rpcs: readonly Rpc[], call: (rpc: Rpc) => Promise<unknown>) {
  const codes = rpcs.map(async (rpc) => [rpc.path, await codeOf(call(rpc))] as const);
  return Object.fromEntries(await Promise.all(codes));
}

function all(rpcs: readonly Rpc[], code: string) {
  return Object.fromEntries(rpcs.map(({ path }) => [path, code]));
}

test('every rpc of every service has an example', () => {
  assert.deepEqual(walk.rpcs.map(({ path }) => path).sort(), allPaths().sort());
});

test('who is not signed in is let in nowhere', async () => {
  const codes = await codesOf(walk.rpcs, (rpc) => rpc.call(things, {}));
  assert.deepEqual(codes, all(walk.rpcs, 'UNAUTHENTICATED'));
});

test('guests only read, and what is for admins is for nobody else, not even the owner', async () => {
  const users = await Promise.all(PEOPLE.map(async (role) => ({ role, user: await contract.user(role) })));
  for (const { role, user } of [...users, { role: 'student' as const, user: owner }]) {
    const closed = rpcsFor(role, false);
    assert(closed.length > 0);
    const codes = await codesOf(closed, (rpc) => rpc.call(things, user.options));
    assert.deepEqual(codes, all(closed, 'PERMISSION_DENIED'), role);
  }
});

test('what is someone else’s does not exist, in the words for what never existed', async () => {
  const nothing = nothingLike(things);
  for (const role of PEOPLE) {
    const { options } = await contract.user(role);
    await inTurns(
      rpcsFor(role, true).filter(({ isNamed }) => isNamed),
      async (rpc) => {
        const [absent, hidden] = await Promise.all(
          [nothing, things].map((these) => failureOf(rpc.call(these, options), `${role} calls ${rpc.path}`)),
        );
        assert(absent && hidden);
        const words = asIf(nothing, hidden.message);
        const { code, reason, message } = absent;
        assert.equal(code, 'NOT_FOUND', `${role} calls ${rpc.path}: ${message}`);
        assert.deepEqual(
          { path: rpc.path, code: hidden.code, reason: hidden.reason, words },
          { path: rpc.path, code, reason, words: message },
        );
      },
    );
  }
});

test('what is one’s own is not joined with what is someone else’s', async () => {
  const { options } = stranger;
  const nothing = nothingLike(things);
  await inTurns(walk.mixed, async ({ path, call }) => {
    const absent = await failureOf(call(own, nothing, options), path);
    const hidden = await failureOf(call(own, things, options), path);
    assert(
      ['NOT_FOUND', 'INVALID_ARGUMENT'].includes(absent.code),
      `${path}: ${absent.code} ${absent.message}`,
    );
    assert.deepEqual(
      { path, code: hidden.code, reason: hidden.reason, words: asIf(nothing, hidden.message) },
      { path, code: absent.code, reason: absent.reason, words: absent.message },
    );
  });
});

/** A few at a time, so that none waits for its turn at the cloud until its time is over. */
async function inTurns<T>(items: readonly T[], visit: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await visit(item);
  };
  await Promise.all(Array.from({ length: 6 }, worker));
}

/** What was said of the owner's things, as if it had been of things that never existed. */
function asIf(nothing: Things, message: string): string {
  return Object.entries(things).reduce(
    (text, [kind, id]) => text.replaceAll(id, nothing[kind] ?? ''),
    message,
  );
}

test('nothing of it was touched, and its owner and admins read all of it', async () => {
  const { client } = contract;
  const admin = await contract.user('admin');
  const { status, taskState } = await client.getInstance({ id: things.instance ?? '' }, owner.options);
  assert.deepEqual({ status, taskState }, { status: 'active', taskState: '' });
  for (const { options } of [owner, admin]) {
    const reads = rpcsFor('guest', true);
    const codes = await codesOf(reads, (rpc) => rpc.call(things, options));
    assert.deepEqual(codes, all(reads, 'OK'));
  }
});

test('admins are told as well what never existed', async () => {
  const { options } = await contract.user('admin');
  const named = walk.rpcs.filter(({ isNamed }) => isNamed);
  const nothing = nothingLike(things);
  const codes = await codesOf(named, (rpc) => rpc.call(nothing, options));
  // Every user has key pairs and slices, whether or not there ever was such a user.
  assert.deepEqual(
    { ...codes, ...listsOfNobody(codes) },
    { ...all(named, 'NOT_FOUND'), ...listsOfNobody(codes) },
  );
});

function listsOfNobody(codes: Readonly<Record<string, string>>): Record<string, string> {
  const path = '/pucp.openstack.v1.ComputeService/ListKeyPairs';
  return path in codes ? { [path]: 'OK' } : {};
}

test('a stranger’s lists are empty', async () => {
  const { client } = contract;
  const { options } = await contract.user();
  const { instances } = await client.listInstances(ListInstancesRequest.fromPartial({}), options);
  const { volumes } = await client.listVolumes(ListVolumesRequest.fromPartial({}), options);
  const { networks } = await client.listNetworks(ListNetworksRequest.fromPartial({}), options);
  assert.deepEqual({ instances, volumes }, { instances: [], volumes: [] });
  assert(networks.every(({ shared, isExternal }) => shared || isExternal));
});

test('an admin finds everything, with whose project it is in', async () => {
  const { client } = contract;
  const { options } = await contract.user('admin');
  const { instances } = await client.listInstances(ListInstancesRequest.fromPartial({}), options);
  const found = instances.find(({ id }) => id === things.instance);
  assert.equal(found?.projectId, things.project);
  assert.equal(found?.projectName, `pucp-${owner.username}`);
  const request = ListVolumesRequest.fromPartial({ projectId: things.project ?? '' });
  const { volumes } = await client.listVolumes(request, options);
  assert.deepEqual(
    volumes.map(({ id }) => id),
    [things.volume],
  );
});

// On a real cloud each area's own tests do all this, and it takes minutes.
test('owners and admins are let in everywhere, whatever becomes of it', { skip: isRealCloud }, async () => {
  const admin = await contract.user('admin');
  const refusals = ['UNAUTHENTICATED', 'PERMISSION_DENIED', 'NOT_FOUND', 'INTERNAL', 'UNIMPLEMENTED'];
  const writes = walk.rpcs.filter(({ access }) => access === 'ACCESS_WRITE');
  // A changed rule is another one, so this can be done once as well.
  const removes = (rpc: Rpc) => /^(delete|remove|detach|updateSecurityGroupRule)/.test(rpc.name);
  // Last of all what the other things hang on: instances, networks and volumes, and then the project.
  const rank = (rpc: Rpc) =>
    !removes(rpc) ? 0 : rpc.name === 'deleteProject' ? 3 : rpc.path.includes('.OpenstackService/') ? 2 : 1;
  const inOrder = writes.toSorted((a, b) => rank(a) - rank(b));
  for (const rpc of inOrder) {
    for (const { options } of removes(rpc) ? [owner] : [admin, owner]) {
      const code = await codeOf(rpc.call(things, options));
      assert(!refusals.includes(code), `${rpc.path}: ${code}`);
    }
  }
});
