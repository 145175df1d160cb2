import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aliasesOf, resolve, unknownName } from './names.ts';

const images = [
  { id: 'b2', name: 'ubuntu-20.04' },
  { id: 'b1', name: 'ubuntu-20.04' },
  { id: 'c1', name: 'alpine-linux-cloudimg' },
];
const table = {
  'ubuntu-20.04': ['ubuntu-20.04-server-cloudimg'],
  alpine: ['alpine-linux-cloudimg'],
  gone: ['nowhere'],
};

test('an id, a name of the table and the cloud’s own name all lead to the image', () => {
  assert.equal(resolve('b1', images, table)?.id, 'b1');
  assert.equal(resolve('alpine', images, table)?.id, 'c1');
  assert.equal(resolve('alpine-linux-cloudimg', images, table)?.id, 'c1');
});

test('a name of the table whose target is missing still means the cloud’s own image of that name', () => {
  assert.equal(resolve('ubuntu-20.04', images, table)?.id, 'b2');
});

test('names of JavaScript’s own are no names', () => {
  assert.equal(resolve('constructor', images, table), undefined);
});

test('an unknown name is answered with the names that exist', () => {
  const message = unknownName('image', 'windows', images, table);
  assert.equal(
    message,
    'image "windows" does not exist; there are: ubuntu-20.04, alpine, alpine-linux-cloudimg',
  );
});

test('an image tells by which names of the table it can be asked for', () => {
  assert.deepEqual(aliasesOf({ id: 'c1', name: 'alpine-linux-cloudimg' }, images, table), ['alpine']);
  assert.deepEqual(aliasesOf({ id: 'b1', name: 'ubuntu-20.04' }, images, table), []);
});
