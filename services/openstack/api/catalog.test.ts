import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Catalog, chooseEndpoint, parseCatalog, versionRoot } from './catalog.ts';
import type { ServiceName } from './settings.ts';

const settings = { authUrl: 'https://cloud/identity', interface: 'public', regionName: 'RegionOne' } as const;

function catalogOf(type: string, url: string, more: { region?: string; interface?: string } = {}): Catalog {
  return parseCatalog([{ type, endpoints: [{ interface: 'public', region_id: 'RegionOne', ...more, url }] }]);
}

function choose(
  service: ServiceName,
  catalog: Catalog,
  overrides?: Partial<Record<ServiceName, string>>,
): string {
  return chooseEndpoint({
    service,
    catalog,
    projectId: 'p1',
    settings: { ...settings, endpointOverrides: overrides },
  });
}

test('a bare address gets the version its API lies under, and a prefix is kept', () => {
  assert.equal(choose('nova', catalogOf('compute', 'https://cloud/compute')), 'https://cloud/compute/v2.1');
  assert.equal(choose('neutron', catalogOf('network', 'https://cloud:9696/')), 'https://cloud:9696/v2.0');
  assert.equal(choose('glance', catalogOf('image', 'https://cloud/image')), 'https://cloud/image/v2');
  assert.equal(choose('cinder', catalogOf('volumev3', 'https://cloud/volume')), 'https://cloud/volume/v3/p1');
  assert.equal(
    choose('keystone', catalogOf('identity', 'https://cloud/identity')),
    'https://cloud/identity/v3',
  );
});

test('an address with a version stays as it is', () => {
  assert.equal(choose('nova', catalogOf('compute', 'http://c:8774/v2.1/')), 'http://c:8774/v2.1');
  assert.equal(choose('nova', catalogOf('compute', 'http://c:8774/v2/abc')), 'http://c:8774/v2/abc');
  assert.equal(
    choose('neutron', catalogOf('network', 'http://c/networking/v2.0')),
    'http://c/networking/v2.0',
  );
  assert.equal(choose('cinder', catalogOf('volumev3', 'http://c/v3/other')), 'http://c/v3/other');
  assert.equal(choose('cinder', catalogOf('block-storage', 'http://c/v3')), 'http://c/v3/p1');
});

test('a catalog that still names Keystone v2 and Glance v1 leads to the versions in use', () => {
  assert.equal(choose('keystone', catalogOf('identity', 'http://c:5000/v2.0')), 'http://c:5000/v3');
  assert.equal(choose('glance', catalogOf('image', 'http://c:9292/v1')), 'http://c:9292/v2');
});

test('the wanted region and interface are chosen among several', () => {
  const catalog = parseCatalog([
    {
      type: 'network',
      endpoints: [
        { interface: 'public', region: 'Other', url: 'http://other' },
        { interface: 'internal', region: 'RegionOne', url: 'http://internal' },
        { interface: 'public', region: 'RegionOne', url: 'http://right' },
      ],
    },
  ]);
  assert.equal(choose('neutron', catalog), 'http://right/v2.0');
});

test('a region is found by its name and by its id, and the first of several addresses is taken', () => {
  for (const one of [
    { region: 'RegionOne', region_id: 'r1' },
    { region: 'The first', region_id: 'RegionOne' },
    { region_id: 'RegionOne' },
    { region: 'RegionOne' },
  ]) {
    const endpoints = ['http://first', 'http://second'].map((url) => ({ interface: 'public', ...one, url }));
    assert.equal(choose('neutron', parseCatalog([{ type: 'network', endpoints }])), 'http://first/v2.0');
  }
});

test('every official type of block storage is known, the current one first', () => {
  for (const type of ['block-storage', 'volumev3', 'block-store', 'volume']) {
    assert.equal(choose('cinder', catalogOf(type, `http://${type}`)), `http://${type}/v3/p1`);
  }
  const both = [...catalogOf('volume', 'http://old/v2'), ...catalogOf('volumev3', 'http://new/v3')];
  assert.equal(choose('cinder', both), 'http://new/v3/p1');
});

test('an override goes before the catalog and may name the project', () => {
  const overrides = { cinder: 'http://mine/v3/%(project_id)s', neutron: 'http://mine:1/net/' };
  assert.equal(choose('cinder', [], overrides), 'http://mine/v3/p1');
  assert.equal(choose('neutron', [], overrides), 'http://mine:1/net/v2.0');
});

test('a service that is not offered where it is wanted is refused with what is offered', () => {
  const catalog = catalogOf('compute', 'http://c', { region: 'Lima', interface: 'internal' });
  assert.throws(() => choose('nova', catalog), {
    code: 'FAILED_PRECONDITION',
    reason: 'ENDPOINT_MISSING',
    message: /no public endpoint of Nova in region RegionOne; it offers internal in Lima/,
  });
  assert.throws(() => choose('glance', catalog), { message: /it has none/ });
});

test('Keystone is where the token came from when the catalog leaves it out', () => {
  assert.equal(choose('keystone', []), 'https://cloud/identity/v3');
});

test('versions are told at the root, without the project', () => {
  assert.equal(versionRoot('http://c/volume/v3/p1'), 'http://c/volume/v3/');
  assert.equal(versionRoot('http://c/compute/v2.1'), 'http://c/compute/v2.1/');
});
