import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLog } from './log.ts';
import { wait } from './time.ts';

test('a service writes JSON lines to its own file, without secrets', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'pucp-log-'));
  const log = createLog({ service: 'auth', level: 'info', directory: join(directory, 'made') });
  log.info(
    { password: 'hidden-1', request: { authorization: 'hidden-2' }, a: { b: { token: 'hidden-3' } } },
    'tried',
  );
  log.debug('too detailed');
  const file = join(directory, 'made', 'auth.log');
  const deadline = Date.now() + 5_000;
  let text = '';
  while (!text.includes('tried') && Date.now() < deadline) {
    await wait(10);
    text = readFileSync(file, { encoding: 'utf8', flag: 'a+' });
  }
  assert.equal(text.trim().split('\n').length, 1);
  const line = JSON.parse(text);
  assert.deepEqual([line.service, line.level, line.message], ['auth', 'info', 'tried']);
  assert.doesNotMatch(text, /hidden/);
  rmSync(directory, { recursive: true });
});
