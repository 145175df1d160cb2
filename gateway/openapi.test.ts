import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { openApiOf } from './openapi.ts';
import { routesOf } from './routes.ts';
import { testSchema } from './testing/world.ts';

type Json = Record<string, unknown>;

const routes = routesOf(testSchema);
const document = JSON.parse(JSON.stringify(openApiOf(testSchema, routes, '1.2.3'))) as Json;

function at(...path: (string | number)[]): Json {
  let here: unknown = document;
  for (const name of path) here = (here as Json | undefined)?.[name];
  assert(here, path.join(' '));
  return here as Json;
}

test('the document is valid OpenAPI 3.1', async () => {
  const result = await new Validator().validate(structuredClone(document));
  assert.deepEqual(result.errors ?? [], []);
  assert.equal(result.valid, true);
});

test('every route is in it', () => {
  const paths = at('paths');
  const operations = Object.values(paths).flatMap((path) => Object.values(path as Json)) as Json[];
  const ids = operations.map(({ operationId }) => operationId).filter(Boolean);
  assert.equal(new Set(ids).size, routes.length);
});

test('comments are the descriptions, and the codes they name the errors', () => {
  const login = at('paths', '/api/auth/login', 'post');
  assert.equal(
    login.summary,
    'Signs a user in and issues a token (HS256; claims sub, user_id, role, exp, iss, aud, iat, jti)',
  );
  assert.deepEqual(Object.keys(login.responses as Json), ['200', '400', '401', '429', '503', 'default']);
  assert.deepEqual(login.security, []);
  const slice = at('components', 'schemas', 'slice.Slice');
  assert.equal(slice.description, 'A slice: its spec and its state.');
  assert.equal((slice.properties as Record<string, Json>).id?.description, 'A UUID.');
});

test('a create answers 201 and needs a token', () => {
  const create = at('paths', '/api/slices', 'post');
  assert.deepEqual(create.security, [{ bearer: [] }]);
  assert(at('paths', '/api/slices', 'post', 'responses', '201'));
  assert(at('paths', '/api/slices', 'post', 'responses', '403'));
  const body = at('paths', '/api/slices', 'post', 'requestBody', 'content', 'application/json', 'schema');
  assert.deepEqual(body, { $ref: '#/components/schemas/slice.CreateSliceRequest' });
});

test('a list is an array, with the way to the next page', () => {
  const list = at('paths', '/api/slices', 'get', 'responses', '200');
  assert.deepEqual(
    at('paths', '/api/slices', 'get', 'responses', '200', 'content', 'application/json', 'schema'),
    {
      type: 'array',
      description: 'The slices.',
      items: { $ref: '#/components/schemas/slice.Slice' },
    },
  );
  assert.deepEqual(Object.keys(list.headers as Json), ['X-Next-Page-Token', 'Link']);
});

test('path and query parameters have their types', () => {
  const parameters = at('paths', '/api/slices', 'get').parameters as Json[];
  assert.deepEqual(
    parameters.map(({ name, in: place }) => [name, place]),
    [
      ['page_size', 'query'],
      ['page_token', 'query'],
      ['status', 'query'],
    ],
  );
  const status = parameters[2]?.schema as { enum: string[] } | undefined;
  assert(status?.enum.includes('deploying'));
  const [id] = at('paths', '/api/slices/{id}', 'get').parameters as Json[];
  assert.deepEqual(id, {
    name: 'id',
    in: 'path',
    required: true,
    description: "The slice's id.",
    schema: { type: 'string' },
  });
  const books = at('paths', '/v1/books', 'get').parameters as Json[];
  assert(books.some(({ name }) => name === 'filter.tags'));
  assert(at('paths', '/v1/shelves/{name_2}/books/{name_4}', 'get'));
});

test('a field that the path gives is not asked for in the body', () => {
  const update = at(
    'paths',
    '/api/auth/users/{id}',
    'patch',
    'requestBody',
    'content',
    'application/json',
    'schema',
  );
  assert.deepEqual(Object.keys(update.properties as Json), ['role', 'is_active']);
  assert.equal('requestBody' in at('paths', '/api/slices/{id}/stop', 'post'), false);
});

test('answers say what can be null and that every field is there, requests leave all out', () => {
  const slice = at('components', 'schemas', 'slice.Slice');
  assert((slice.required as string[]).includes('deployed_at'));
  const properties = slice.properties as Record<string, Json>;
  assert.deepEqual(properties.deployed_at?.type, ['string', 'null']);
  const statuses = properties.status?.enum as unknown[] | undefined;
  assert.deepEqual(statuses?.slice(-2), ['scheduled', null]);
  const request = at('components', 'schemas', 'slice.CreateSliceRequest');
  assert.equal('required' in request, false);
  assert.equal(request.additionalProperties, false);
});

test('a stream is lines or events', () => {
  const content = at('paths', '/api/slices/{id}/events', 'get', 'responses', '200', 'content');
  assert.deepEqual(Object.keys(content), ['application/x-ndjson', 'text/event-stream']);
});
