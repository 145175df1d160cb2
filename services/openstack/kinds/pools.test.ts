import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatAddress, parseCidr } from '#engine/spec/ipv4.ts';
import { poolsWithout, reservedBy } from './pools.ts';

test('addresses that nodes ask for stay out of the pools, and are read back from them', () => {
  const pools = poolsWithout('192.168.100.0/29', '192.168.100.1', ['192.168.100.3']);
  assert.deepEqual(pools, [
    { start: '192.168.100.2', end: '192.168.100.2' },
    { start: '192.168.100.4', end: '192.168.100.6' },
  ]);
  assert.deepEqual(reservedBy('192.168.100.0/29', '192.168.100.1', pools), ['192.168.100.3']);
});

test('Neutron’s own pool reserves nothing, with or without a gateway', () => {
  const all = [{ start: '10.0.0.2', end: '10.0.0.254' }];
  assert.deepEqual(reservedBy('10.0.0.0/24', '10.0.0.1', all), []);
  assert.deepEqual(reservedBy('10.0.0.0/24', '', [{ start: '10.0.0.1', end: '10.0.0.254' }]), []);
});

test('whatever is reserved is read back', () => {
  const network = parseCidr('10.1.2.0/26');
  assert(network);
  const offsets = fc.uniqueArray(fc.integer({ min: 2, max: 62 }), { maxLength: 60 });
  fc.assert(
    fc.property(offsets, (some) => {
      const reserved = some.sort((a, b) => a - b).map((offset) => formatAddress(network.first + offset));
      const pools = poolsWithout('10.1.2.0/26', '10.1.2.1', reserved);
      assert.deepEqual(reservedBy('10.1.2.0/26', '10.1.2.1', pools), reserved);
    }),
  );
});
