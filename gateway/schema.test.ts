import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findRoute, routesOf } from './routes.ts';
import { loadSchema } from './schema.ts';
import { createUpstreams } from './upstreams.ts';

const PROTO = join(import.meta.dirname, '..', 'proto');

function routesOfText(rpcs: string, messages = '') {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-schema-'));
  try {
    writeFileSync(
      join(folder, 'thing_service.proto'),
      `syntax = "proto3"; package testing.thing.v1;
       import "google/api/annotations.proto"; import "google/protobuf/struct.proto"; import "pucp/api/v1/options.proto";
       service ThingService { ${rpcs} }
       message Thing { string id = 1; Part part = 2; repeated string tags = 3; ${messages} } message Part { string id = 1; }`,
    );
    return routesOf(loadSchema([PROTO, folder]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const PUBLIC = 'option (pucp.api.v1.access) = ACCESS_PUBLIC;';

test('the real protos make routes, and every rpc has its rule', () => {
  const schema = loadSchema([PROTO]);
  const routes = routesOf(schema);
  const found = findRoute(routes, 'GET', '/api/slices/7/events');
  assert(found.kind === 'route');
  assert.equal(found.route.method.path, '/pucp.slice.v1.SliceService/WatchSlice');
  assert.deepEqual(found.params, { id: '7' });
  const withoutRest = schema.methods.filter((method) => method.bindings.length === 0);
  assert(withoutRest.every(({ access }) => access === 'ACCESS_SERVICE'));
});

test('several further bindings are all served', () => {
  const routes = routesOfText(`rpc Get(Thing) returns (Thing) { ${PUBLIC} option (google.api.http) = {
    get: "/a/{id}" additional_bindings: {get: "/b/{part.id}"} additional_bindings: {get: "/c"} }; }`);
  const templates = routes
    .map(({ binding }) => binding.template)
    .filter((path) => /^\/[abc](\/|$)/.test(path));
  assert.deepEqual(templates.sort(), ['/a/{id}', '/b/{part.id}', '/c']);
});

test('a mistake in a proto stops the start, and the message names the rpc', () => {
  const get = 'option (google.api.http) = {get: "/things/{id}"};';
  const cases: [string, RegExp][] = [
    [
      `rpc Get(Thing) returns (Thing) { ${get} }`,
      /ThingService\/Get has no option \(pucp\.api\.v1\.access\)/,
    ],
    [
      `rpc Get(Thing) returns (Thing) { option (pucp.api.v1.access) = ACCESS_SERVICE; ${get} }`,
      /ThingService\/Get is for services only/,
    ],
    [`rpc Get(stream Thing) returns (Thing) { ${PUBLIC} ${get} }`, /ThingService\/Get streams requests/],
    [
      `rpc Get(Thing) returns (Thing) { ${PUBLIC} option (google.api.http) = {get: "/things/{ident}"}; }`,
      /ThingService\/Get: the path names "ident"/,
    ],
    [
      `rpc Get(Thing) returns (Thing) { ${PUBLIC} option (google.api.http) = {get: "/things/{tags}"}; }`,
      /ThingService\/Get: the path names "tags"/,
    ],
    [
      `rpc Make(Thing) returns (Thing) { ${PUBLIC} option (google.api.http) = {post: "/things" body: "thing"}; }`,
      /ThingService\/Make: body "thing" is no field/,
    ],
    [
      `rpc Get(Thing) returns (Thing) { ${PUBLIC} option (google.api.http) = {get: "/t" response_body: "x"}; }`,
      /ThingService\/Get: response_body "x" is no field/,
    ],
    [
      `rpc Get(Thing) returns (Thing) { ${PUBLIC} option (google.api.http) = {get: "things"}; }`,
      /Path template "things"/,
    ],
    [
      `rpc Get(Thing) returns (Thing) { ${PUBLIC} ${get} }
       rpc Find(Thing) returns (Thing) { ${PUBLIC} option (google.api.http) = {get: "/things/{part.id}"}; }`,
      /ThingService\/Get and .*ThingService\/Find both claim GET/,
    ],
  ];
  for (const [rpcs, words] of cases) assert.throws(() => routesOfText(rpcs), words, rpcs);
});

test('a message that has no JSON form stops the start', () => {
  const rpc = `rpc Get(Thing) returns (Thing) { ${PUBLIC} option (google.api.http) = {get: "/things/{id}"}; }`;
  assert.throws(
    () => routesOfText(rpc, 'google.protobuf.Struct free = 4;'),
    /google\.protobuf\.Struct has no JSON form/,
  );
});

test('a package without an address stops the start', () => {
  const { methods } = loadSchema([PROTO]);
  const auth = { name: 'auth', packageName: 'pucp.auth.v1', url: 'http://127.0.0.1:1' };
  assert.throws(() => createUpstreams([auth], methods), /no address is configured for the package pucp\./);
});
