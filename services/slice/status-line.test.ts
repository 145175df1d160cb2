import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SliceResource } from '#proto/pucp/slice/v1/history.ts';
import { SliceState } from '#proto/pucp/slice/v1/slice.ts';
import type { SliceRow } from './rows.ts';
import { statusLine } from './status-line.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const atWork = {
  status: SliceState.DEPLOYING,
  generation: 2,
  settled_generation: 1,
  retry_at: null,
  message: 'Deployment has started',
  error_message: '',
} as SliceRow;
const resource = (kind: string, name: string, state: string, message = '') =>
  SliceResource.fromPartial({ kind, name, state, message });

test('a deployment says how many servers are being built and which it waits for', () => {
  const servers = ['ready', 'creating', 'pending', 'creating', 'creating'].map((state, index) =>
    resource('server', `vm${index + 1}`, state),
  );
  assert.equal(
    statusLine(atWork, [resource('network', 'lan', 'ready'), ...servers], NOW),
    '3 of 5 servers are being built; waiting for vm2, vm4, vm5',
  );
});

test('a slice that no worker has come to says how many are before it', () => {
  const line = (ahead: number) => statusLine(atWork, [], NOW, ahead);
  assert.equal(line(0), 'Deployment has started; it waits for its turn, which is next');
  assert.equal(line(1), 'Deployment has started; it waits for its turn, 1 other is before it');
  assert.equal(line(12), 'Deployment has started; it waits for its turn, 12 others are before it');
});

test('a removal says what is still being removed', () => {
  const going = ['vm1', 'vm2'].map((name) => resource('server', name, 'deleting'));
  assert.equal(
    statusLine(
      { ...atWork, status: SliceState.DELETING },
      [resource('network', 'lan', 'ready'), ...going],
      NOW,
    ),
    '2 of 2 servers are being removed; waiting for vm1, vm2',
  );
});

test('what fails in passing comes first, with why and when it is tried again', () => {
  const many = Array.from({ length: 7 }, (_, index) => resource('port', `p${index + 1}`, 'creating'));
  const failing = resource('floating_ip', 'vm1', 'creating', 'Neutron is busy; it is tried again in 4 s');
  assert.equal(
    statusLine(atWork, [...many, failing], NOW),
    '7 of 7 ports are being created, the floating IP is being created; ' +
      'waiting for vm1 (Neutron is busy; it is tried again in 4 s), p1, p2, p3, p4 and 3 more',
  );
});

test('work that is put off says when it goes on', () => {
  const waiting = { ...atWork, message: 'The deployment waits: Keystone does not answer' };
  const line = (retryMs: number) => statusLine({ ...waiting, retry_at: new Date(NOW + retryMs) }, [], NOW);
  assert.equal(line(6_500), 'The deployment waits: Keystone does not answer; it goes on in 7 s');
  assert.equal(line(-100), 'The deployment waits: Keystone does not answer; it goes on at once');
});

test('a slice at rest says how its last work ended', () => {
  const rest = { ...atWork, settled_generation: 2 };
  const broken = resource('server', 'vm1', 'creating');
  assert.equal(
    statusLine({ ...rest, message: 'The slice is running' }, [broken], NOW),
    'The slice is running',
  );
  const failed = { ...rest, status: SliceState.ERROR, error_message: 'no valid host' };
  assert.equal(statusLine(failed, [broken], NOW), 'no valid host');
});
