// What the client writes down: the ids by which a call is found in every log, and no secret, at the most talkative level.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

/** A process of its own, whose standard output is its log. */
const SCRIPT = `
import { createLog } from '#common/log.ts';
import { context, failureOf, startFakeCloud } from './testing/fake-cloud.ts';
const log = createLog({ service: 'openstack', level: 'trace' });
const auths = [
  { type: 'password', username: 'admin', password: 'hush-password', userDomainName: 'Default' },
  { type: 'token', token: 'hush-given' },
  { type: 'application_credential', id: 'ac', secret: 'hush-credential' },
];
const requestId = '6a9c1b52-3b0f-4a53-8a52-0d3c0a4b1c11';
for (const auth of auths) {
  await using fake = await startFakeCloud({
    log,
    settings: { auth, requestTimeoutMs: 300 },
    tokenPrefix: 'hush-token',
  });
  fake.on('POST', '/compute/v2.1/servers', { status: 202, json: { server: { id: 's', adminPass: 'hush-admin' } } });
  fake.on('POST', '/compute/v2.1/servers/s/remote-consoles', {
    json: { remote_console: { protocol: 'vnc', type: 'novnc', url: 'http://c/?token=hush-console' } },
  });
  const { nova, neutron } = fake.cloud.project('home');
  const call = { ...context(), requestId };
  const server = { name: 'v', flavorRef: 'f', imageRef: 'i', networks: [], user_data: 'hush-user-data' };
  await nova.createServer(server, call);
  await nova.createConsole('s', { protocol: 'vnc', type: 'novnc' }, call);
  for (const reply of [
    { fault: 'hang' },
    { fault: 'reset' },
    { status: 401, json: { error: { message: 'no' } } },
    { status: 302, text: '', headers: { location: 'http://elsewhere/?token=hush-location' } },
    { text: '<html>' },
  ]) {
    fake.on('GET', '/network/v2.0/networks', reply);
    const failure = await failureOf(neutron.networks.list({ name: 'hush-query' }, call));
    log.error({ cause: failure }, 'as a handler would log it');
  }
  for (const record of fake.calls) log.info({ record }, 'as metrics see it');
}
`;

test('no password, token, user data or console address is logged, and both request ids are', () => {
  const args = ['--input-type=module-typescript', '--eval', SCRIPT];
  const cwd = import.meta.dirname;
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const lines = stdout.split('\n').filter((line) => line.includes('"called OpenStack"'));
  assert.ok(lines.length > 20, `${lines.length} calls were logged`);
  assert.doesNotMatch(stdout + stderr, /hush/);
  const made = lines.find((line) => line.includes('"/servers"') && line.includes('"POST"')) ?? '';
  assert.match(made, /"request_id":"req-6a9c1b52-3b0f-4a53-8a52-0d3c0a4b1c11"/);
  assert.match(made, /"cloud_request_id":"req-of-the-cloud"/);
});
