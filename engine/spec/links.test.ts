// Links keep what they were given, over every change around them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConnectionSpec, type SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { layoutOf, withLinks } from './attach.ts';
import { checkSpec } from './check.ts';
import { anySpec, LIMITS, linkOf, networkOf, nodeOf, specOf } from './testing/specs.ts';

const NODES = [nodeOf('a'), nodeOf('b'), nodeOf('c')];
const linked = (...connections: ConnectionSpec[]): SliceSpec => specOf({ nodes: NODES, connections });
const segments = ({ connections }: SliceSpec): string[] =>
  connections.map(({ name, cidr }) => `${name} ${cidr}`);

test('a link that goes from the middle moves no other', () => {
  const before = withLinks(linked(linkOf('a', 'b'), linkOf('b', 'c'), linkOf('c', 'a')));
  assert.deepEqual(segments(before), ['a-b 10.255.0.0/29', 'b-c 10.255.0.8/29', 'c-a 10.255.0.16/29']);
  const after = withLinks(linked(linkOf('a', 'b'), linkOf('c', 'a')), before);
  assert.deepEqual(segments(after), ['a-b 10.255.0.0/29', 'c-a 10.255.0.16/29']);
  const more = withLinks(linked(linkOf('b', 'c'), linkOf('a', 'b'), linkOf('c', 'a')), after);
  assert.deepEqual(segments(more), ['b-c 10.255.0.8/29', 'a-b 10.255.0.0/29', 'c-a 10.255.0.16/29']);
});

test('of several links between the same nodes, the one that is named or whose range is given stays', () => {
  const before = withLinks(linked(linkOf('a', 'b'), linkOf('a', 'b')));
  const [, second] = before.connections;
  assert.deepEqual(segments(before), ['a-b 10.255.0.0/29', 'a-b-2 10.255.0.8/29']);
  const byName = linked(ConnectionSpec.fromPartial({ ...linkOf('a', 'b'), name: second?.name ?? '' }));
  assert.equal(withLinks(byName, before).connections[0]?.name, 'a-b-2');
  const byRange = linked(ConnectionSpec.fromPartial({ ...linkOf('a', 'b'), cidr: second?.cidr ?? '' }));
  assert.deepEqual(segments(withLinks(byRange, before)), ['a-b-2 10.255.0.8/29']);
});

test('what a user asks for wins over what a link had, and a new network over a link’s range', () => {
  const before = withLinks(linked(linkOf('a', 'b')));
  const other = linked(ConnectionSpec.fromPartial({ ...linkOf('a', 'b'), cidr: '10.9.0.0/29' }));
  assert.deepEqual(segments(withLinks(other, before)), ['a-b 10.9.0.0/29']);
  const networks = [networkOf('lan', '10.255.0.0/24'), networkOf('A-B', '10.8.0.0/24')];
  const crowded = { ...linked(linkOf('a', 'b')), networks };
  assert.deepEqual(segments(withLinks(crowded, before)), ['a-b-2 10.255.1.0/29']);
});

test('a spec whose links are written down means the same, and writing them down again changes nothing', () => {
  fc.assert(
    fc.property(anySpec, (spec) => {
      const written = withLinks(spec);
      assert.deepEqual(layoutOf(written), layoutOf(spec));
      assert.deepEqual(withLinks(written), written);
      assert.deepEqual(withLinks(spec, written), written);
      assert.deepEqual(checkSpec(written, LIMITS), checkSpec(spec, LIMITS));
    }),
  );
});

test('whichever links go, those that stay keep their names and ranges', () => {
  fc.assert(
    fc.property(anySpec, fc.infiniteStream(fc.boolean()), (spec, picks) => {
      const before = withLinks(spec);
      const kept = before.connections.filter(() => picks.next().value);
      assert.deepEqual(withLinks({ ...before, connections: kept }, before).connections, kept);
    }),
  );
});

test('the name of a link is checked as a network’s, and beside them', () => {
  const named = (name: string, changes = {}) =>
    ConnectionSpec.fromPartial({ ...linkOf('a', 'b'), name, ...changes });
  const spec = linked(named('a/b'), named('LAN'), named('x'), named('X'), named('y', { network: 'lan' }));
  assert.deepEqual(
    checkSpec(spec, LIMITS).map(({ field }) => field),
    ['connections[0].name', 'connections[1].name', 'connections[3].name', 'connections[4].name'],
  );
});
