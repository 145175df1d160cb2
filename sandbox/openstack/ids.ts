// Ids, times and random words in the forms that OpenStack uses.

import { createHash, randomBytes, randomInt, randomUUID } from 'node:crypto';

/** 32 hexadecimal digits, as Keystone names its things. */
export function hexId(): string {
  return randomUUID().replaceAll('-', '');
}

/** The same id for the same words, so that seeds keep their ids over restarts. */
export function stableHexId(words: string): string {
  return createHash('md5').update(`sandbox:${words}`).digest('hex');
}

export function stableUuid(words: string): string {
  const hex = stableHexId(words);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}

export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(value);
}

/** 2026-11-22T21:23:04Z */
export function nowSeconds(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}

/** 2026-11-22T21:23:04.000000, Cinder's and half of Nova's way. */
export function nowMicros(): string {
  return `${new Date().toISOString().slice(0, 19)}.000000`;
}

export function randomMac(): string {
  return ['fa', '16', '3e', ...Array.from(randomBytes(3), (byte) => byte.toString(16).padStart(2, '0'))].join(
    ':',
  );
}

const LETTERS = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';

export function randomWord(length: number): string {
  return Array.from({ length }, () => LETTERS[randomInt(LETTERS.length)]).join('');
}

export function hashSecret(secret: string): string {
  return createHash('sha256').update(`sandbox:${secret}`).digest('hex');
}

/** A text as Python would print it, because OpenStack's error messages do. */
export function pythonText(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value === 'string') return `'${value}'`;
  if (Array.isArray(value)) return `[${value.map(pythonText).join(', ')}]`;
  if (typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([key, inner]) => `'${key}': ${pythonText(inner)}`)
      .join(', ')}}`;
  }
  return String(value);
}
