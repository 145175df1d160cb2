import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { Failure } from '#common/errors.ts';
import { cloudSettings } from './cloud-config.ts';
import { readConfig } from './config.ts';

const nowhere = { workingFolder: '/nowhere', homeFolder: '/nowhere' };
const usable = {
  DATABASE_URL: 'postgres://localhost/pucp',
  OPENSTACK_AUTH_URL: 'http://10.0.10.5:5000/v3',
  OPENSTACK_USERNAME: 'admin',
  OPENSTACK_PASSWORD: 'hidden',
  OPENSTACK_PROJECT_NAME: 'admin',
};

function complaint(env: Record<string, string>, folders = nowhere): string {
  try {
    readConfig(env, folders);
  } catch (error) {
    assert(error instanceof Failure);
    assert.equal(error.reason, 'INVALID_CONFIG');
    return error.message;
  }
  throw new Error('the configuration was accepted');
}

test('an empty environment is answered once, with every variable that is missing and an example of it', () => {
  const message = complaint({});
  for (const name of ['AUTH_URL', 'USERNAME', 'PASSWORD', 'PROJECT_NAME']) {
    assert.match(message, new RegExp(`OPENSTACK_${name} is not set: .*OS_${name}`));
  }
  assert.match(message, /DATABASE_URL is not set/);
});

test('wrong values are named together with missing ones', () => {
  const message = complaint({
    ...usable,
    OPENSTACK_AUTH_URL: '10.0.10.5',
    OPENSTACK_PROJECT_NAME: '',
    OPENSTACK_INTERFACE: 'outside',
    OPENSTACK_TENANCY: 'slice',
    OPENSTACK_FLAVORS: 'small',
    OPENSTACK_QUOTAS: 'cores=many,ponies=3',
    OPENSTACK_CACERT: '/nowhere/ca.pem',
    OPENSTACK_TIMEOUT: '0',
  });
  const names = [
    'AUTH_URL',
    'PROJECT_NAME',
    'INTERFACE',
    'TENANCY',
    'FLAVORS',
    'QUOTAS',
    'CACERT',
    'TIMEOUT',
  ];
  for (const name of names) assert.match(message, new RegExp(`OPENSTACK_${name} `), name);
  assert.match(message, /"ponies"/);
  assert.match(message, /user, shared/);
});

test('the documented variables are enough, and the password does not print', () => {
  const config = readConfig(usable, nowhere);
  assert.equal(config.port, 5006);
  assert.equal(config.tenancy, 'user');
  assert.equal(config.quotas.instances, 20);
  assert.deepEqual(config.flavors.small, ['m1.small']);
  assert.doesNotMatch(inspect(config, { depth: 10 }) + JSON.stringify(config), /hidden/);
  const { auth } = cloudSettings(config.cloud);
  assert.equal(auth.type === 'password' && auth.password, 'hidden');
});

test('OS_* names work, and OPENSTACK_* come before them', () => {
  const config = readConfig(
    {
      DATABASE_URL: usable.DATABASE_URL,
      OS_AUTH_URL: 'https://cloud.example/identity',
      OS_USERNAME: 'ana',
      OS_PASSWORD: 'hidden',
      OS_PROJECT_NAME: 'lab',
      OPENSTACK_PROJECT_NAME: 'course',
      OS_INTERFACE: 'publicURL',
      OS_USER_DOMAIN_ID: 'default',
    },
    nowhere,
  );
  assert.equal(config.cloud.authUrl, 'https://cloud.example/identity');
  assert.equal(config.cloud.projectName, 'course');
  assert.equal(config.cloud.interface, 'public');
});

test('a cloud of clouds.yaml works, with its password in secure.yaml', async () => {
  await using folder = await temporaryFolder();
  await writeFile(
    join(folder.path, 'clouds.yaml'),
    `clouds:
  campus:
    auth: {auth_url: 'http://10.0.10.5:5000', username: ana, project_name: lab, user_domain_name: Campus}
    region_name: Lima
    interface: internal
    verify: false
`,
  );
  await writeFile(join(folder.path, 'secure.yaml'), 'clouds: {campus: {auth: {password: hidden}}}\n');
  const env = { DATABASE_URL: usable.DATABASE_URL, OS_CLOUD: 'campus' };
  const { cloud } = readConfig(env, { ...nowhere, workingFolder: folder.path });
  assert.equal(cloud.authUrl, 'http://10.0.10.5:5000');
  assert.equal(cloud.regionName, 'Lima');
  assert.equal(cloud.interface, 'internal');
  assert.equal(cloud.insecure, true);
  assert(cloud.auth.type === 'password');
  assert.equal(cloud.auth.userDomainName, 'Campus');
  assert.equal(cloud.auth.password.reveal(), 'hidden');

  const folders = { ...nowhere, workingFolder: folder.path };
  assert.match(complaint({ ...usable, OS_CLOUD: 'other' }, folders), /OS_CLOUD names cloud "other".*campus/);
  assert.match(complaint({ ...usable, OS_CLOUD: 'campus' }), /no clouds.yaml in \/nowhere/);
  await writeFile(join(folder.path, 'clouds.yaml'), 'clouds: [');
  assert.match(complaint({ ...usable, OS_CLOUD: 'campus' }, folders), /cannot be read/);
});

test('an application credential needs no password, and one project for all', () => {
  const env = {
    DATABASE_URL: usable.DATABASE_URL,
    OPENSTACK_AUTH_URL: usable.OPENSTACK_AUTH_URL,
    OS_APPLICATION_CREDENTIAL_ID: 'abc',
  };
  const message = complaint(env);
  assert.match(message, /OPENSTACK_APPLICATION_CREDENTIAL_SECRET is not set/);
  assert.match(message, /OPENSTACK_TENANCY must be shared/);
  assert.doesNotMatch(message, /OPENSTACK_USERNAME/);
  const config = readConfig(
    { ...env, OS_APPLICATION_CREDENTIAL_SECRET: 'hidden', OPENSTACK_TENANCY: 'shared' },
    nowhere,
  );
  assert.equal(config.cloud.auth.type, 'application_credential');
});

test('the tables of names and quotas are changed as JSON or as pairs, and the rest stays', () => {
  const config = readConfig(
    {
      ...usable,
      OPENSTACK_FLAVORS: 'small=c1.small|m1.small, nano=',
      OPENSTACK_IMAGES: '{"debian": "debian-12", "cirros": ["cirros-0.6"]}',
      OPENSTACK_QUOTAS: 'cores=-1',
    },
    nowhere,
  );
  assert.deepEqual(config.flavors.small, ['c1.small', 'm1.small']);
  assert.equal(config.flavors.nano, undefined);
  assert.deepEqual(config.flavors.large, ['m1.large']);
  assert.deepEqual(config.images.debian, ['debian-12']);
  assert.equal(config.quotas.cores, -1);
  assert.equal(config.quotas.instances, 20);
});

async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), 'openstack-config-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}
