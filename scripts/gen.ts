// Generates proto/gen from proto/: the messages and services (ts-proto), the table of access rules, and the descriptors
// that reflection serves. With `--check` it writes to a temporary folder instead and fails if the committed files differ.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const buf = join(root, 'node_modules/@bufbuild/buf/bin/buf');
const check = process.argv.includes('--check');

type Method = { name: string; options?: Record<string, unknown> };
type ProtoFile = { package?: string; service?: { name: string; method?: Method[] }[] };

const scratch = mkdtempSync(join(tmpdir(), 'pucp-gen-'));
try {
  execFileSync(process.execPath, [buf, 'generate', '-o', scratch], { cwd: root, stdio: 'inherit' });
  const fresh = join(scratch, 'proto/gen');
  writeFileSync(join(fresh, 'access.ts'), accessTable());
  build('--exclude-source-info', '-o', join(fresh, 'descriptors.binpb'));
  if (check) compare(fresh);
  else replace(fresh);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function replace(fresh: string): void {
  const target = join(root, 'proto/gen');
  rmSync(target, { recursive: true, force: true });
  cpSync(fresh, target, { recursive: true });
  console.log(`Generated ${target}`);
}

function compare(fresh: string): void {
  try {
    execFileSync('diff', ['-r', '-q', join(root, 'proto/gen'), fresh], { stdio: 'inherit' });
  } catch {
    console.error('proto/gen is stale: run `npm run gen` and commit the result.');
    process.exitCode = 1;
    return;
  }
  console.log('proto/gen is fresh.');
}

// buf prints custom options under their full names, which spares a descriptor parser here.
function accessTable(): string {
  const image = build('-o', '-#format=json');
  const files = (JSON.parse(image) as { file: ProtoFile[] }).file;
  const rows = files.flatMap((file) =>
    (file.service ?? []).flatMap((service) =>
      (service.method ?? []).map((method) => {
        const path = `/${file.package}.${service.name}/${method.name}`;
        const access = method.options?.['[pucp.api.v1.access]'];
        if (typeof access !== 'string') throw new Error(`${path} has no option (pucp.api.v1.access)`);
        return `  '${path}': '${access}',`;
      }),
    ),
  );
  return `// Written by scripts/gen.ts from the option (pucp.api.v1.access). DO NOT EDIT.

import type { Access } from './pucp/api/v1/options.ts';

/** Who may call each rpc, by its path. */
export const ACCESS: Readonly<Record<string, Access>> = {
${rows.sort().join('\n')}
};
`;
}

function build(...args: string[]): string {
  const command = [buf, 'build', '--as-file-descriptor-set', ...args];
  return execFileSync(process.execPath, command, { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20 });
}
