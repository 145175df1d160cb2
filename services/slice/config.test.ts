import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { readConfig } from './config.ts';

const DATABASE_URL = 'postgres://localhost/pucp';

test("the limits are the original's unless they are set", () => {
  const config = readConfig({ DATABASE_URL, MAX_VCPUS_PER_USER: '64' });
  assert.deepEqual(config.specLimits, { nodes: 20, networks: 10, links: 100 });
  assert.deepEqual(config.userLimits, { slices: 10, vcpus: 64, ramMib: 51_200, diskGib: 500 });
  assert.equal(config.port, 5002);
  assert.equal(config.driverUrls.linux, undefined);
});

test('slices live for ever unless their users or the configuration give them an end', () => {
  const usual = { maxDays: 180, defaultDays: 0, maxRenewals: 10, reminderHours: [24, 1] };
  assert.deepEqual(readConfig({ DATABASE_URL }).lifetime, usual);
  const set = { SLICE_DEFAULT_LIFETIME_DAYS: '7', SLICE_REMINDER_HOURS: '48, 0.5' };
  const lifetime = { ...usual, defaultDays: 7, reminderHours: [48, 0.5] };
  assert.deepEqual(readConfig({ DATABASE_URL, ...set }).lifetime, lifetime);
  for (const [wrong, told] of [
    [{ SLICE_DEFAULT_LIFETIME_DAYS: '181' }, /SLICE_DEFAULT_LIFETIME_DAYS must not be over .* 180/],
    [{ SLICE_REMINDER_HOURS: '24,soon' }, /SLICE_REMINDER_HOURS must be positive numbers/],
  ] as const) {
    assert.throws(() => readConfig({ DATABASE_URL, ...wrong }), { message: told });
  }
});

test('everything that is wrong with the environment is told at once', () => {
  const wrong = { SLICE_PORT: 'x', MAX_VMS_PER_SLICE: '0', LINUX_SERVICE_URL: 'there' };
  assert.throws(
    () => readConfig(wrong),
    (error) => {
      assert.ok(error instanceof Failure);
      for (const name of ['DATABASE_URL', ...Object.keys(wrong)])
        assert.match(error.message, new RegExp(name));
      return true;
    },
  );
});
