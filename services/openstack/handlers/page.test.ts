import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { pageOf } from './page.ts';

const key = (item: string) => item;

test('pages together are the list, also when what a page ended with is removed meanwhile', () => {
  const first = pageOf(['d', 'b', 'a', 'c'], { pageSize: 2, pageToken: '' }, { key });
  assert.deepEqual(first.items, ['a', 'b']);
  const second = pageOf(['d', 'a', 'c'], { pageSize: 2, pageToken: first.nextPageToken }, { key });
  assert.deepEqual(second, { items: ['c', 'd'], nextPageToken: '' });
});

test('a descending list ends with its smallest key', () => {
  const first = pageOf(['a', 'c', 'b'], { pageSize: 2, pageToken: '' }, { key, descending: true });
  assert.deepEqual(first.items, ['c', 'b']);
  const rest = pageOf(
    ['a', 'c', 'b'],
    { pageSize: 0, pageToken: first.nextPageToken },
    { key, descending: true },
  );
  assert.deepEqual(rest, { items: ['a'], nextPageToken: '' });
});

test('a token that was made up and a negative size are refused', () => {
  const refused = (error: unknown) => error instanceof Failure && error.code === 'INVALID_ARGUMENT';
  assert.throws(() => pageOf(['a'], { pageSize: 1, pageToken: 'x!' }, { key }), refused);
  assert.throws(() => pageOf(['a'], { pageSize: -1, pageToken: '' }, { key }), refused);
});
