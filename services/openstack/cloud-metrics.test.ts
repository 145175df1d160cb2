import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '#common/log.ts';
import { createMetrics } from '#common/metrics.ts';
import { createCloud } from './api/cloud.ts';
import { context, failureOf, startFakeCloud } from './api/testing/fake-cloud.ts';
import { observeCloud } from './cloud-metrics.ts';

test('metrics tell how often a token was at hand, which calls were made, and which service is held back', async () => {
  await using fake = await startFakeCloud();
  const metrics = createMetrics('test');
  const settings = {
    authUrl: `${fake.url}/identity`,
    auth: { type: 'password', username: 'admin', password: 'x', userDomainName: 'Default' },
    regionName: 'RegionOne',
    interface: 'public',
    connectTimeoutMs: 2_000,
    requestTimeoutMs: 10_000,
    maxConnections: 8,
  } as const;
  const cloud = createCloud(settings, { log: silentLog, ...observeCloud(metrics, settings) });
  const { nova, cinder } = cloud.project('home');
  fake.on('GET', '/compute/v2.1/flavors/detail', { json: { flavors: [] } });
  fake.on('GET', '/volume/v3/home-id/volumes/detail', { status: 500, text: '' });
  for (let count = 0; count < 4; count += 1) await nova.listFlavors(context());
  for (let count = 0; count < 5; count += 1) await failureOf(cinder.listVolumes({}, context()));
  cloud.close();

  const text = await metrics.registry.metrics();
  const place = `cloud="${new URL(fake.url).host}",region="RegionOne"`;
  assert.match(text, /cache_reads_total\{cache="tokens",result="miss",service="test"\} 1\n/);
  assert.match(text, /cache_reads_total\{cache="tokens",result="hit",service="test"\} 8\n/);
  assert.match(
    text,
    /openstack_call_seconds_count\{[^}]*cloud_service="nova",method="GET",status="200"[^}]*\} 4\n/,
  );
  assert.ok(
    text.includes(`openstack_breaker_open{${place},cloud_service="cinder",service="test"} 1\n`),
    text,
  );
  assert.ok(text.includes(`openstack_breaker_open{${place},cloud_service="nova",service="test"} 0\n`));
});
