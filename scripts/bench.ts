// `npm run bench -- NAME …`: runs benchmarks of bench/ by name, or all of them; each writes bench/results/NAME.json.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const FOLDER = resolve(import.meta.dirname, '../bench');
const PARTS = new Set(['record']);

const known = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -'.ts'.length))
  .filter((name) => !PARTS.has(name));
const named = process.argv.slice(2);
for (const name of named.length > 0 ? named : known) {
  if (!known.includes(name)) throw new Error(`No benchmark "${name}"; there are ${known.join(', ')}`);
  const { status } = spawnSync(process.execPath, [join(FOLDER, `${name}.ts`)], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
