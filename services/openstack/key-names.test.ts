import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloudKeyName, ownKeyName, shownKeyName } from './key-names.ts';

test('a key pair bears its owner’s mark in words that Nova takes', () => {
  for (const mark of ['0f3a9c11.42', '0f3a9c11.a.b@c_ñ', '0f3a9c11.6f1c0d5e-0000-4000-8000-000000000000']) {
    const name = cloudKeyName(mark, 'my laptop');
    assert.match(name, /^[A-Za-z0-9 _-]+$/);
    assert.equal(ownKeyName(mark, name), 'my laptop');
    assert.equal(shownKeyName(name), 'my laptop');
  }
});

test('nobody’s name or id leads to someone else’s key pair', () => {
  const marks = [
    '0f3a9c11.1',
    '0f3a9c11.1-2',
    '0f3a9c11.1_2',
    '0f3a9c11.1.2',
    '0f3a9c11.1_2e_2',
    '1f3a9c11.1',
  ];
  for (const mark of marks) {
    for (const other of marks.filter((one) => one !== mark)) {
      assert.equal(ownKeyName(other, cloudKeyName(mark, '2 laptop')), undefined, `${mark} and ${other}`);
    }
  }
});

test('a key pair that was made by other means keeps its name', () => {
  assert.equal(shownKeyName('operator'), 'operator');
  assert.equal(shownKeyName('two words'), 'two words');
  assert.equal(shownKeyName(''), '');
});
