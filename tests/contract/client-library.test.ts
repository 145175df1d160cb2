// The client as a stranger uses it: the example of docs/openstack-client.md, run as it stands there, and every kind of
// credential and scope, on the sandbox or a real cloud.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { Failure } from '#common/errors.ts';
import { silentLog } from '#common/log.ts';
import { startSandbox } from '../../sandbox/openstack/server.ts';
import { type Cloud, createCloud } from '../../services/openstack/api/cloud.ts';
import { readCloud } from '../../services/openstack/cloud-config.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const isRealCloud = process.env.CONTRACT_CLOUD === 'env';
const sandbox = isRealCloud ? undefined : await startSandbox({ port: 0, log: silentLog, buildDelayMs: 100 });
const admin = {
  auth_url: sandbox?.authUrl ?? process.env.OS_AUTH_URL,
  username: sandbox ? 'admin' : process.env.OS_USERNAME,
  password: sandbox ? 'sandbox' : process.env.OS_PASSWORD,
};
const folder = mkdtempSync(join(tmpdir(), 'client-library-'));
const context = { signal: AbortSignal.timeout(300_000) };
after(async () => {
  rmSync(folder, { recursive: true });
  await sandbox?.close();
});

/** A cloud of clouds.yaml with this `auth`. */
function cloudsFile(auth: object, name = 'clouds.yaml'): string {
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify({ clouds: { campus: { auth, region_name: 'RegionOne' } } }));
  return file;
}

async function within<T>(auth: object, work: (cloud: Cloud) => Promise<T>): Promise<T> {
  const file = cloudsFile({ auth_url: admin.auth_url, ...auth }, `${randomBytes(4).toString('hex')}.yaml`);
  const cloud = createCloud(readCloud({ OS_CLOUD: 'campus', OS_CLIENT_CONFIG_FILE: file }), {
    log: silentLog,
  });
  try {
    return await work(cloud);
  } finally {
    cloud.close();
  }
}

const projectsOf = (cloud: Cloud) => cloud.project('home').keystone.listProjects({}, context);
const home = { ...admin, project_name: 'admin' };

test('the example in the documentation builds a client from clouds.yaml and lists servers', async () => {
  const text = readFileSync(join(ROOT, 'docs/openstack-client.md'), 'utf8');
  const example = /```ts\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
  assert.ok(example.trim().split('\n').length <= 15, 'it fits fifteen lines');
  const environment = { PATH: process.env.PATH, OS_CLOUD: 'campus', OS_CLIENT_CONFIG_FILE: cloudsFile(home) };
  const args = ['--input-type=module-typescript', '--eval', example];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT, env: environment });
  assert.match(stdout, /^\d+ servers\n/);
});

test('a domain and the whole system are homes as good as a project', async () => {
  const all = await within(home, projectsOf);
  assert.ok(all.some(({ name }) => name === 'admin'));
  const names = all.map(({ name }) => name).sort();
  const listed = await within({ ...admin, system_scope: 'all' }, projectsOf);
  assert.deepEqual(listed.map(({ name }) => name).sort(), names);
});

test('a scope in which one has no role is refused in words', async () => {
  const failure = await within({ ...admin, domain_name: 'Nowhere' }, (cloud) =>
    projectsOf(cloud).then(
      () => assert.fail('it was allowed'),
      (error: unknown) => error,
    ),
  );
  assert(failure instanceof Failure);
  assert.equal(failure.reason, 'AUTHENTICATION_FAILED');
});

test('names and ids of the user, the project and their domains lead to the same home', async () => {
  const [projectId, userId] = await within(home, async (cloud) => {
    const { userId: own } = await cloud.project('home').identity(context);
    return [await cloud.project('home').projectId(context), own] as const;
  });
  for (const auth of [
    { ...home, user_domain_id: 'default', project_domain_id: 'default' },
    { auth_url: admin.auth_url, user_id: userId, password: admin.password, project_id: projectId },
    { ...admin, tenant_name: 'admin' },
  ]) {
    assert.equal(await within(auth, (cloud) => cloud.project('home').projectId(context)), projectId);
  }
});

test('a token serves as it is and rescoped, until it is revoked: then it is refused once and for all', async () => {
  const base = `${String(admin.auth_url).replace(/(\/v3)?\/*$/, '')}/v3/auth/tokens`;
  const user = { name: admin.username, password: admin.password, domain: { id: 'default' } };
  const answer = await fetch(base, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user } },
        scope: { project: { name: 'admin', domain: { id: 'default' } } },
      },
    }),
  });
  const token = answer.headers.get('x-subject-token') ?? '';
  for (const auth of [{ token }, { token, project_name: 'admin' }]) {
    const flavors = await within(auth, (cloud) => cloud.project('home').nova.listFlavors(context));
    assert.ok(flavors.length > 0);
  }
  await fetch(base, { method: 'DELETE', headers: { 'x-auth-token': token, 'x-subject-token': token } });
  const failure = await within({ token }, (cloud) =>
    projectsOf(cloud).then(
      () => assert.fail('it was allowed'),
      (error: unknown) => error,
    ),
  );
  assert(failure instanceof Failure);
  assert.equal(failure.retryable, false);
  assert.match(failure.reason, /AUTHENTICATION_FAILED|ITEM_NOT_FOUND/);
});
