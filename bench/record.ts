// Where results of benchmarks go: bench/results/<name>.json, with the machine they were measured on.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';

/** Writes a result; numbers are rounded to four significant digits. */
export function record(name: string, result: Readonly<Record<string, unknown>>): void {
  const folder = join(import.meta.dirname, 'results');
  mkdirSync(folder, { recursive: true });
  const machine = {
    cpu: cpus()[0]?.model ?? '',
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
  };
  const rounded = JSON.stringify(
    { measured: new Date().toISOString().slice(0, 10), machine, ...result },
    round,
    2,
  );
  writeFileSync(join(folder, `${name}.json`), `${rounded}\n`);
  console.log(rounded);
}

/** What an earlier run has recorded; nothing if none has. */
export function recorded(name: string): Readonly<Record<string, unknown>> {
  const file = join(import.meta.dirname, 'results', `${name}.json`);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = Number.NaN, high = Number.NaN] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]];
  return (low + high) / 2;
}

function round(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(4)) : value;
}
