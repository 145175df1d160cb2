import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { bySpecificity, matchTemplate, parseTemplate, splitPath } from './path-template.ts';

function match(template: string, path: string) {
  return matchTemplate(parseTemplate(template), splitPath(path));
}

test('a path gives its variables', () => {
  assert.deepEqual(match('/api/slices/{id}', '/api/slices/7'), { id: '7' });
  assert.deepEqual(match('/api/slices/{id}/nodes', '/api/slices/7/nodes'), { id: '7' });
  assert.deepEqual(match('/a/{x}/b/{y.z}', '/a/1/b/2'), { x: '1', 'y.z': '2' });
});

test('a path that is longer, shorter or other does not fit', () => {
  for (const path of [
    '/api/slices',
    '/api/slices/',
    '/api/slices/7/nodes',
    '/api/slicez/7',
    '/api//slices/7',
  ])
    assert.equal(match('/api/slices/{id}', path), undefined, path);
});

test('one slash at the end is forgiven', () => {
  assert.deepEqual(match('/api/slices/{id}', '/api/slices/7/'), { id: '7' });
  assert.deepEqual(match('/api/slices', '/api/slices/'), {});
});

test('percent-encoding is undone in values, once', () => {
  assert.deepEqual(match('/p/{id}', '/p/a%20b%2Fc%253D'), { id: 'a b/c%3D' });
  assert.deepEqual(match('/p/{id}', '/p/%C3%B1'), { id: 'ñ' });
});

test('a variable over several segments keeps an encoded slash apart from a real one', () => {
  assert.deepEqual(match('/v1/{name=shelves/*/books/*}', '/v1/shelves/a%2Fb/books/c%20d'), {
    name: 'shelves/a%2Fb/books/c d',
  });
});

test('a broken percent-encoding is the client’s mistake', () => {
  assert.throws(
    () => match('/p/{id}', '/p/%zz'),
    (error) => error instanceof Failure && error.code === 'INVALID_ARGUMENT',
  );
});

test('a verb is told from the value before it', () => {
  assert.deepEqual(match('/books/{id}:lend', '/books/7:lend'), { id: '7' });
  assert.deepEqual(match('/books/{id}:lend', '/books/a:b:lend'), { id: 'a:b' });
  assert.equal(match('/books/{id}:lend', '/books/7'), undefined);
  assert.equal(match('/books/{id}:lend', '/books/:lend'), undefined);
});

test('two stars take the rest, however long', () => {
  assert.deepEqual(match('/pages/{path=**}', '/pages/a/b/c'), { path: 'a/b/c' });
  assert.deepEqual(match('/pages/{path=**}', '/pages/a'), { path: 'a' });
  assert.equal(match('/pages/{path=**}', '/other/a'), undefined);
});

test('the template that says more comes first', () => {
  const sources = ['/a/{x=**}', '/a/{x}', '/a/{x}:go', '/a/b', '/a/b/c'];
  const sorted = sources.map(parseTemplate).sort(bySpecificity);
  assert.deepEqual(
    sorted.map(({ source }) => source),
    ['/a/b/c', '/a/b', '/a/{x}:go', '/a/{x}', '/a/{x=**}'],
  );
});

test('a template that is not of the grammar is refused', () => {
  for (const source of ['', 'a', '/', '/{', '/{a', '/{a=}', '/a//b', '/{a=**}/b', '/a:', '/a:b/c', '/{1}'])
    assert.throws(() => parseTemplate(source), /Path template/, source);
});
