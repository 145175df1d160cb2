// The walls of the house: which folder may import which, and which npm package is used where. The two tables are the
// design; a new exception is a decision, written in docs/decisions/.

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, posix, relative, resolve } from 'node:path';
import { test } from 'node:test';

const ROOT = resolve(import.meta.dirname, '..');
const ALIASES = { '#proto/': 'proto/gen/', '#common/': 'common/', '#engine/': 'engine/' } as const;
const PLAIN_CLIENT = ['common/errors.ts', 'common/log.ts', 'common/time.ts', 'common/breaker.ts'];

/** The longest matching folder decides. A file may always import its own folder. */
const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  'proto/gen': [],
  common: ['proto/gen'],
  engine: ['common', 'proto/gen'],
  'services/auth': ['common', 'engine', 'proto/gen'],
  'services/slice': ['common', 'engine', 'proto/gen'],
  'services/openstack': ['common', 'engine', 'proto/gen'],
  'services/openstack/api': PLAIN_CLIENT,
  'services/linux': ['common', 'engine', 'proto/gen'],
  'services/linux/host': PLAIN_CLIENT,
  gateway: ['common'],
  sandbox: ['common/log.ts', 'common/time.ts'],
  console: [],
  scripts: ['common', 'proto/gen', 'services', 'gateway', 'sandbox', 'tests'],
  tests: ['common', 'engine', 'proto/gen', 'services', 'gateway', 'sandbox', 'scripts'],
  bench: ['common', 'engine', 'proto/gen', 'services', 'gateway', 'sandbox', 'scripts', 'tests'],
};

/** Where each npm package may be imported. A package that is not here may be imported nowhere. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@bufbuild/protobuf': ['proto/gen', 'common/reflection.ts'],
  '@fastify/busboy': ['gateway/upload-form.ts'],
  '@fastify/cors': ['gateway'],
  '@fastify/helmet': ['gateway'],
  '@fastify/rate-limit': ['gateway'],
  '@fastify/static': ['gateway'],
  '@grpc/grpc-js': ['common', 'gateway', 'proto/gen'],
  '@grpc/proto-loader': ['gateway'],
  '@grpc/reflection': ['common/reflection.ts'],
  fastify: ['gateway'],
  got: ['services/openstack/api', 'bench/openstack-client'],
  'grpc-health-check': ['common/rpc-server.ts'],
  'ipaddr.js': ['engine/spec', 'engine', 'services'],
  jose: ['common/caller.ts', 'services/auth/tokens.ts'],
  knex: ['common/database.ts'],
  'lru-cache': ['common', 'gateway', 'services/openstack/api'],
  opossum: ['common/breaker.ts'],
  pg: ['common/database.ts', 'services/slice/notifications.ts', 'tests/support'],
  'pg-boss': ['services/slice/queue.ts'],
  pino: ['common/log.ts'],
  'prom-client': ['common/metrics.ts'],
  protobufjs: ['gateway'],
  'swagger-ui-dist': ['gateway'],
  yaml: ['services/openstack/clouds-yaml.ts', 'tests'],
  zod: ['common/config.ts', 'services', 'gateway', 'sandbox', 'scripts'],
};

/** What tests may import besides what their folder may. */
const FOR_TESTS = ['tests/support', 'proto/gen', 'sandbox', 'scripts', 'common'];
const PACKAGES_FOR_TESTS = [
  'fast-check',
  '@grpc/grpc-js',
  '@seriousme/openapi-schema-validator',
  'yaml',
  'jose',
  'autocannon',
];

type Import = { readonly file: string; readonly specifier: string };

const files = globSync('{common,engine,services,gateway,sandbox,console,scripts,tests,bench}/**/*.ts', {
  cwd: ROOT,
});
const imports = files.flatMap(importsOf);

test('a folder imports only what the design lets it', () => {
  const wrong = imports.filter(({ file, specifier }) => {
    const target = localTarget(file, specifier);
    return target !== undefined && !mayImport(file, target);
  });
  assert.deepEqual(wrong, []);
  assert(imports.length > 100, 'the test sees the imports');
});

test('an npm package is imported only where the design puts it', () => {
  const wrong = imports.filter(({ file, specifier }) => {
    const name = packageOf(specifier);
    if (name === undefined || (isTest(file) && PACKAGES_FOR_TESTS.includes(name))) return false;
    return !(PACKAGES[name] ?? []).some((place) => isBelow(file, place));
  });
  assert.deepEqual(wrong, []);
});

test('only config files, the launcher and tests read the environment', () => {
  const readers = files.filter((file) => {
    const isAllowed =
      /(^|\/)(config|main)\.ts$/.test(file) || /^(scripts|tests|bench)\//.test(file) || isTest(file);
    return !isAllowed && readFileSync(join(ROOT, file), 'utf8').includes('process.env');
  });
  assert.deepEqual(readers, []);
});

test('no file has grown beyond 400 lines', () => {
  const long = files.filter((file) => readFileSync(join(ROOT, file), 'utf8').split('\n').length > 401);
  assert.deepEqual(long, []);
});

function importsOf(file: string): Import[] {
  const source = readFileSync(join(ROOT, file), 'utf8');
  const found = source.matchAll(
    /(?:^|\n)\s*(?:import|export)[^'"`;]*?from\s+'([^']+)'|(?:^|\n)\s*import\s+'([^']+)'|import\('([^']+)'\)/g,
  );
  return [...found].map(([, from, bare, dynamic]) => ({ file, specifier: from ?? bare ?? dynamic ?? '' }));
}

function localTarget(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('.'))
    return posix.normalize(relative(ROOT, resolve(ROOT, dirname(file), specifier)));
  for (const [alias, folder] of Object.entries(ALIASES)) {
    if (specifier.startsWith(alias)) return folder + specifier.slice(alias.length);
  }
  return undefined;
}

function packageOf(specifier: string): string | undefined {
  if (/^[.#]/.test(specifier) || specifier.startsWith('node:') || builtinModules.includes(specifier))
    return undefined;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function mayImport(file: string, target: string): boolean {
  const home = folderOf(file);
  assert(home !== undefined, `${file} lies in no folder of the table`);
  const allowed = [home, ...(FOLDERS[home] ?? []), ...(isTest(file) ? FOR_TESTS : [])];
  // A narrower folder inside an allowed one keeps its own wall towards others, not towards its owner.
  return allowed.some((place) => isBelow(target, place));
}

function folderOf(file: string): string | undefined {
  return Object.keys(FOLDERS)
    .filter((folder) => isBelow(file, folder))
    .sort((a, b) => b.length - a.length)[0];
}

function isTest(file: string): boolean {
  return file.endsWith('.test.ts') || file.includes('/testing/') || file.startsWith('tests/');
}

function isBelow(path: string, place: string): boolean {
  return path === place || path.startsWith(`${place}/`);
}
