// A cloud as operators tell it: the environment, clouds.yaml and what lies beside it.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import type { CloudSettings } from './api/settings.ts';
import { readCloud } from './cloud-config.ts';
import { readConfig } from './config.ts';

/** Reads a cloud with these files in the working folder (`~/…` in the home folder). */
async function read(env: Record<string, string>, files: Record<string, string> = {}): Promise<CloudSettings> {
  const root = await mkdtemp(join(tmpdir(), 'cloud-config-'));
  const folders = { workingFolder: join(root, 'work'), homeFolder: join(root, 'home') };
  try {
    for (const [name, text] of Object.entries(files)) {
      const path = name.startsWith('~/')
        ? join(folders.homeFolder, name.slice(2))
        : join(folders.workingFolder, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    }
    return readCloud(env, folders);
  } finally {
    await rm(root, { recursive: true });
  }
}

async function complaint(env: Record<string, string>, files?: Record<string, string>): Promise<string> {
  const error = await read(env, files).then(
    () => assert.fail('it was accepted'),
    (caught: unknown) => caught,
  );
  assert(error instanceof Failure);
  assert.equal(error.reason, 'INVALID_CONFIG');
  return error.message;
}

const password = {
  OS_AUTH_URL: 'http://10.0.10.5:5000',
  OS_USERNAME: 'ana',
  OS_PASSWORD: 'hidden',
};
const campus = { OS_CLOUD: 'campus' };
/** A clouds.yaml of one cloud with these lines. */
const cloudsYaml = (lines: string) => ({ 'clouds.yaml': `clouds:\n  campus:\n${lines}` });
const ANA = "    auth: {auth_url: 'http://k:5000', username: ana, password: hidden, project_name: lab}\n";

test('each way of authenticating is told by its auth_type, or by what is set', async () => {
  const url = { OS_AUTH_URL: 'http://k:5000' };
  const credential = { OS_APPLICATION_CREDENTIAL_ID: 'ac', OS_APPLICATION_CREDENTIAL_SECRET: 's' };
  const token = { OS_TOKEN: 't' };
  for (const [env, type] of [
    [{ ...password }, 'password'],
    [{ ...password, ...token, OS_AUTH_TYPE: 'v3password' }, 'password'],
    [{ ...url, ...token }, 'token'],
    [{ ...password, ...token, OS_AUTH_TYPE: 'v3token' }, 'token'],
    [{ ...url, ...credential }, 'application_credential'],
    [{ ...url, ...credential, OS_AUTH_TYPE: 'v3applicationcredential' }, 'application_credential'],
  ] as const) {
    assert.equal((await read(env)).auth.type, type, JSON.stringify(env));
  }
  assert.deepEqual((await read({ ...url, ...token })).auth, { type: 'token', token: 't' });
});

test('what the client cannot do is refused by its name', async () => {
  for (const [more, words] of [
    [{ OS_AUTH_TYPE: 'v3oidcpassword' }, /OPENSTACK_AUTH_TYPE must be one of password, token/],
    [{ OS_TRUST_ID: 'x' }, /OPENSTACK_TRUST_ID is set/],
    [{ OS_IDENTITY_API_VERSION: '2.0' }, /OPENSTACK_IDENTITY_API_VERSION is 2\.0, but only version 3/],
    [{ OS_VOLUME_API_VERSION: '1' }, /OPENSTACK_VOLUME_API_VERSION is 1, but only version 3/],
    [{ OS_SYSTEM_SCOPE: 'some' }, /OPENSTACK_SYSTEM_SCOPE must be all/],
    [{ OS_PROJECT_NAME: 'lab', OS_DOMAIN_ID: 'd' }, /OPENSTACK_PROJECT_NAME and OPENSTACK_DOMAIN_NAME/],
    [{ OS_AUTH_TYPE: 'v3token' }, /OPENSTACK_TOKEN is not set/],
    [
      { OS_AUTH_TYPE: 'v3applicationcredential', OS_APPLICATION_CREDENTIAL_NAME: 'mine' },
      /OPENSTACK_APPLICATION_CREDENTIAL_NAME is not enough/,
    ],
    [{ OS_COMPUTE_ENDPOINT_OVERRIDE: 'nova:8774' }, /OPENSTACK_COMPUTE_ENDPOINT_OVERRIDE is not a URL/],
    [{ OS_CERT: '/nowhere/x.pem' }, /OPENSTACK_CERT is not a file/],
  ] as const) {
    assert.match(await complaint({ ...password, ...more }), words);
  }
  const versions = {
    OS_IDENTITY_API_VERSION: '3',
    OS_COMPUTE_API_VERSION: '2.1',
    OS_IMAGE_API_VERSION: 'v2',
  };
  await read({ ...password, ...versions });
});

test('the home is a project by name or id, a domain, the system, or what Keystone gives', async () => {
  const home = async (env: Record<string, string>) => {
    const { projectName, projectId, projectDomainName, projectDomainId, homeScope } = await read({
      ...password,
      ...env,
    });
    return { projectName, projectId, projectDomainName, projectDomainId, homeScope };
  };
  const nothing = {
    projectName: undefined,
    projectId: undefined,
    projectDomainName: 'Default',
    projectDomainId: undefined,
    homeScope: undefined,
  };
  assert.deepEqual(await home({}), nothing);
  assert.deepEqual(await home({ OS_TENANT_NAME: 'lab' }), { ...nothing, projectName: 'lab' });
  assert.deepEqual(await home({ OS_PROJECT_ID: 'p', OS_PROJECT_NAME: 'lab', OS_PROJECT_DOMAIN_ID: 'd' }), {
    ...nothing,
    projectName: 'lab',
    projectId: 'p',
    projectDomainId: 'd',
  });
  assert.deepEqual((await home({ OS_DOMAIN_NAME: 'Campus' })).homeScope, { domainName: 'Campus' });
  assert.deepEqual((await home({ OS_DOMAIN_ID: 'd' })).homeScope, { domainId: 'd' });
  assert.deepEqual((await home({ OS_SYSTEM_SCOPE: 'all' })).homeScope, { system: true });
});

test('the orchestrator itself wants a project, and says which variable names another scope', () => {
  const env = { ...password, DATABASE_URL: 'postgres://localhost/pucp' };
  const nowhere = { workingFolder: '/nowhere', homeFolder: '/nowhere' };
  for (const name of ['DOMAIN_NAME', 'DOMAIN_ID', 'SYSTEM_SCOPE']) {
    assert.throws(() => readConfig({ ...env, [`OS_${name}`]: 'all' }, nowhere), {
      message: new RegExp(`OPENSTACK_${name} is set \\(or OS_${name}.*set OPENSTACK_PROJECT_NAME`),
    });
  }
  assert.equal(readConfig({ ...env, OS_PROJECT_ID: 'p' }, nowhere).cloud.projectId, 'p');
});

test('whoever names a scope in the environment replaces the whole of that in clouds.yaml', async () => {
  const files = cloudsYaml(`${ANA.replace('lab}', 'lab, project_domain_id: d}')}`);
  const { homeScope, projectName } = await read({ ...campus, OS_SYSTEM_SCOPE: 'all' }, files);
  assert.deepEqual([homeScope, projectName], [{ system: true }, undefined]);
  const named = await read({ ...campus, OS_PROJECT_NAME: 'course', OS_PROJECT_DOMAIN_NAME: 'Campus' }, files);
  assert.deepEqual(
    [named.projectName, named.projectDomainName, named.projectDomainId],
    ['course', 'Campus', undefined],
  );
});

test('everything that clouds.yaml says of a cloud is heeded', async () => {
  const settings = await read(campus, {
    ...cloudsYaml(`    auth_type: v3password
    auth: {auth_url: 'https://k:5000', user_id: u1, password: hidden, project_id: p1, user_domain_id: d1}
    region_name: Lima
    interface: internal
    identity_api_version: 3
    image_endpoint_override: http://images:9292
    block_storage_endpoint_override: http://volumes:8776
    verify: false
    cacert: ~/ca.pem
    cert: ~/client.pem
    key: ~/client.key
`),
    '~/ca.pem': 'a',
    '~/client.pem': 'b',
    '~/client.key': 'c',
  });
  assert.deepEqual(settings.auth, {
    type: 'password',
    username: '',
    userId: 'u1',
    password: 'hidden',
    userDomainName: 'Default',
    userDomainId: 'd1',
  });
  assert.equal(settings.projectId, 'p1');
  assert.deepEqual([settings.regionName, settings.interface, settings.insecure], ['Lima', 'internal', true]);
  assert.equal(settings.endpointOverrides?.glance, 'http://images:9292');
  assert.equal(settings.endpointOverrides?.cinder, 'http://volumes:8776');
  assert.match(settings.caFile ?? '', /home\/ca\.pem$/);
  assert.match(settings.certFile ?? '', /home\/client\.pem$/);
  assert.match(settings.keyFile ?? '', /home\/client\.key$/);
  assert.match(
    await complaint(campus, cloudsYaml(`${ANA}    volume_api_version: 2\n`)),
    /VOLUME_API_VERSION/,
  );
  assert.match(await complaint(campus, cloudsYaml(`${ANA}    auth_type: v3kerberos\n`)), /AUTH_TYPE/);
});

test('of several regions the wanted one is taken with what is said of it, else the first', async () => {
  const files = cloudsYaml(`${ANA}    regions: [Lima, {name: Cusco, values: {interface: internal}}]\n`);
  assert.equal((await read(campus, files)).regionName, 'Lima');
  const cusco = await read({ ...campus, OS_REGION_NAME: 'Cusco' }, files);
  assert.deepEqual([cusco.regionName, cusco.interface], ['Cusco', 'internal']);
  assert.match(await complaint({ ...campus, OS_REGION_NAME: 'Puno' }, files), /which has no region "Puno"/);
});

test('a profile is found in clouds-public.yaml and the cloud’s own words go before it', async () => {
  const own = cloudsYaml(
    '    profile: provider\n    region_name: Cusco\n    auth: {username: ana, password: hidden}\n',
  );
  const publicClouds =
    'public-clouds: {provider: {region_name: Lima, interface: admin, auth: {auth_url: "http://k:5000"}}}';
  const {
    authUrl,
    regionName,
    interface: chosen,
  } = await read(campus, { ...own, 'clouds-public.yaml': publicClouds });
  assert.deepEqual([authUrl, regionName, chosen], ['http://k:5000', 'Cusco', 'admin']);
  assert.match(await complaint(campus, own), /whose profile "provider" stands in no clouds-public.yaml/);
});

test('clouds.yaml is found by name or in its places, and secrets in a file of their own', async () => {
  const text = cloudsYaml(ANA.replace('password: hidden, ', ''))['clouds.yaml'];
  const secure = 'clouds: {campus: {auth: {password: apart}}}';
  const passwordOf = ({ auth }: CloudSettings) => auth.type === 'password' && auth.password;
  const beside = { 'clouds.yaml': text, 'secure.yaml': secure };
  assert.equal(passwordOf(await read(campus, beside)), 'apart');
  const atHome = { '~/.config/openstack/clouds.yml': text, '~/.config/openstack/secure.yml': secure };
  assert.equal(passwordOf(await read(campus, atHome)), 'apart');
  assert.match(await complaint(campus, { 'clouds.yaml': text }), /OPENSTACK_PASSWORD is not set/);
  const json = { 'clouds.json': '{"clouds": {"campus": {"auth": {"auth_url": "http://k", "token": "t"}}}}' };
  assert.equal((await read(campus, json)).auth.type, 'token');
});
