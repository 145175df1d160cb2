// The OpenAPI 3.1 document, from the same routes that are served: comments are descriptions, access rules are security,
// and the gRPC codes that a comment names are the errors listed.

import { CODES, type Code } from '#common/errors.ts';
import { statusOf } from './errors.ts';
import { createSchemas, type JsonSchema, type Schemas } from './openapi-schemas.ts';
import { nextPageField } from './pages.ts';
import { queryFields } from './query.ts';
import type { Route } from './routes.ts';
import type { Method, Schema } from './schema.ts';
import { CONTENT_TYPE } from './stream.ts';
import { responseField, successStatuses } from './transcode.ts';
import { FILE_TYPE, FORM_TYPE } from './upload.ts';

export type OpenApiDocument = JsonSchema;

const ERROR_SCHEMA: JsonSchema = {
  type: 'object',
  description: 'What went wrong, for people and for programs.',
  required: ['error', 'code', 'reason', 'details', 'request_id'],
  properties: {
    error: { type: 'string', description: 'A sentence for people.' },
    code: { type: 'string', enum: CODES, description: 'The gRPC code.' },
    reason: { type: 'string', description: 'A stable word for programs, such as SLICE_NOT_FOUND.' },
    details: {
      type: 'array',
      description: 'Every mistake in the request.',
      items: {
        type: 'object',
        required: ['field', 'message'],
        properties: {
          field: { type: 'string', description: 'A path such as nodes[0].image.' },
          message: { type: 'string' },
        },
      },
    },
    metadata: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'Facts for programs.',
    },
    request_id: {
      type: 'string',
      description: 'Also in the header X-Request-ID; quote it when asking for help.',
    },
  },
};

/** The document of all routes. */
export function openApiOf(schema: Schema, routes: readonly Route[], version: string): OpenApiDocument {
  const schemas = createSchemas();
  const paths: Record<string, Record<string, JsonSchema>> = {};
  // In the protos' order, not the order of matching.
  for (const method of schema.methods) {
    for (const [index, binding] of method.bindings.entries()) {
      const route = routes.find((one) => one.method === method && one.binding === binding);
      if (!route) continue;
      const path = pathOf(route);
      paths[path] = { ...paths[path], [binding.httpMethod.toLowerCase()]: operation(route, schemas, index) };
    }
  }
  const used = new Set(
    schema.methods.filter(({ bindings }) => bindings.length > 0).map((one) => one.serviceName),
  );
  return {
    openapi: '3.1.0',
    info: {
      title: 'PUCP Cloud Orchestrator',
      version,
      description: 'Slices of virtual machines and networks on OpenStack and Linux/KVM.',
    },
    servers: [{ url: '/' }],
    tags: [...used].map((name) => ({
      name: tagOf(name),
      description: schema.serviceComments.get(name) ?? '',
    })),
    paths: { ...paths, ...HEALTH_PATHS },
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'The token of a login.' },
      },
      schemas: { ...schemas.components(), Error: ERROR_SCHEMA },
    },
  };
}

function operation(route: Route, schemas: Schemas, index: number): JsonSchema {
  const { method, binding, transcoder } = route;
  const [summary = '', ...rest] = method.comment.replaceAll('\n', ' ').split(/(?<=\.)\s/);
  const requestBody = requestBodyOf(route, schemas);
  return {
    operationId: `${tagOf(method.serviceName)}_${method.name}${index === 0 ? '' : `_${index + 1}`}`,
    tags: [tagOf(method.serviceName)],
    summary: summary.replace(/\.$/, ''),
    ...(rest.length > 0 ? { description: rest.join(' ') } : {}),
    parameters: [
      ...pathParameters(route, schemas),
      ...queryParameters(route, schemas),
      ...headerParameters(route),
    ],
    ...(transcoder.hasBody && requestBody ? { requestBody } : {}),
    responses: {
      ...Object.fromEntries(
        successStatuses(method).map((status) => [String(status), success(route, schemas)] as const),
      ),
      ...errors(method, binding.template),
    },
    security: method.access === 'ACCESS_PUBLIC' ? [] : [{ bearer: [] }],
  };
}

function requestBodyOf(route: Route, schemas: Schemas): JsonSchema | undefined {
  const { method, binding, template } = route;
  if (method.isClientStream) {
    return {
      description: 'The file itself; or a form of what could be in the query, and the file after it.',
      required: true,
      // OpenAPI 3.1: a body of raw bytes has no schema.
      content: { [FILE_TYPE]: {}, [FORM_TYPE]: { schema: formOf(route, schemas) } },
    };
  }
  if (binding.body !== '*') {
    const field = method.requestType.fields[binding.body];
    return field && { content: { 'application/json': { schema: schemas.field(field, 'request') } } };
  }
  const inPath = new Set(template.variables.map(({ field }) => field));
  if (method.requestType.fieldsArray.every((field) => inPath.has(field.name))) return undefined;
  return { content: { 'application/json': { schema: schemas.without(method.requestType, inPath) } } };
}

function formOf({ method, transcoder }: Route, schemas: Schemas): JsonSchema {
  const fields = queryFields(method.requestType, transcoder.taken).map(
    ({ name, field }) => [name, schemas.field(field, 'request')] as const,
  );
  const file = { type: 'string', format: 'binary', description: 'The last part.' };
  return { type: 'object', required: ['file'], properties: { ...Object.fromEntries(fields), file } };
}

function pathParameters(route: Route, schemas: Schemas): JsonSchema[] {
  const { requestType } = route.method;
  return namedParts(route).flatMap(({ name, field }) => {
    if (name === undefined) return [];
    const found = requestType.fields[field];
    const { description, ...schema } = found
      ? schemas.field(found, 'request')
      : { description: '', type: 'string' };
    return [{ name, in: 'path', required: true, description: description ?? '', schema }];
  });
}

function queryParameters({ method, transcoder }: Route, schemas: Schemas): JsonSchema[] {
  return queryFields(method.requestType, transcoder.taken).map(({ name, field }) => {
    const { description = '', ...schema } = schemas.field(field, 'request');
    return { name, in: 'query', description: field.comment ?? description, schema };
  });
}

function headerParameters({ method }: Route): JsonSchema[] {
  if (!method.isServerStream || !method.requestType.fields.after) return [];
  const description = 'Resumes after this event; wins over `after`.';
  return [{ name: 'Last-Event-ID', in: 'header', description, schema: { type: 'string' } }];
}

function success({ method, binding }: Route, schemas: Schemas): JsonSchema {
  const field = responseField(method, binding);
  const schema = field ? schemas.field(field, 'answer') : schemas.messageRef(method.responseType, 'answer');
  const description = method.responseType.comment ?? 'Success';
  if (method.isClientStream) {
    const progress = { schema: schemas.messageRef(method.responseType, 'answer') };
    return {
      description: `${description} The result alone, or every message for a client that accepts a stream.`,
      content: {
        'application/json': { schema },
        [CONTENT_TYPE.ndjson]: progress,
        [CONTENT_TYPE.sse]: progress,
      },
    };
  }
  if (method.isServerStream)
    return {
      description: `${description} One a line, or one an event if the client accepts text/event-stream.`,
      content: { [CONTENT_TYPE.ndjson]: { schema }, [CONTENT_TYPE.sse]: { schema } },
    };
  const headers = {
    'X-Next-Page-Token': { description: 'Absent on the last page.', schema: { type: 'string' } },
    Link: {
      description: 'The next page, with rel="next"; absent on the last page.',
      schema: { type: 'string' },
    },
  };
  const paged = nextPageField(method, binding) !== undefined;
  return { description, ...(paged ? { headers } : {}), content: { 'application/json': { schema } } };
}

const ERROR_WORDS: Readonly<Record<number, string>> = {
  400: 'The request has mistakes; `details` names them all',
  401: 'The token is missing, expired, revoked or forged',
  403: 'The caller may not do this',
  404: 'It does not exist, or not for this caller',
  409: 'It exists already, or is busy with something else',
  429: 'Too much is asked for; see Retry-After',
  503: 'A service or a cloud does not answer; see Retry-After',
};

function errors(method: Method, template: string): Readonly<Record<string, JsonSchema>> {
  const statuses = new Set<number>([400, 429, 503]);
  const named = CODES.filter((code: Code) => method.comment.includes(code));
  for (const code of named) statuses.add(statusOf(code));
  if (method.access !== 'ACCESS_PUBLIC') statuses.add(401);
  if (method.access === 'ACCESS_WRITE' || method.access === 'ACCESS_ADMIN') statuses.add(403);
  if (template.includes('{')) statuses.add(404);
  const content = { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } };
  const listed = [...statuses].filter((status) => status in ERROR_WORDS).sort((a, b) => a - b);
  const entries = listed.map(
    (status) => [String(status), { description: ERROR_WORDS[status], content }] as const,
  );
  return { ...Object.fromEntries(entries), default: { description: 'Any other failure', content } };
}

function tagOf(serviceName: string): string {
  return serviceName.slice(serviceName.lastIndexOf('.') + 1);
}

// OpenAPI has no variables over several segments: each wildcard is a parameter of its own, named after its variable.
function namedParts({ template }: Route): { text: string; name: string | undefined; field: string }[] {
  return template.parts.map((part, index) => {
    if (part.kind === 'literal') return { text: part.text, name: undefined, field: '' };
    const variable = template.variables.find(({ from, to }) => index >= from && index < to);
    const field = variable?.field ?? '';
    const isAlone = variable && variable.to - variable.from === 1;
    const name = isAlone ? field : `${field || 'part'}_${index - (variable?.from ?? 0) + 1}`;
    return { text: `{${name}}`, name, field };
  });
}

function pathOf(route: Route): string {
  const { verb } = route.template;
  return `/${namedParts(route)
    .map(({ text }) => text)
    .join('/')}${verb === '' ? '' : `:${verb}`}`;
}

const HEALTH = (summary: string, statuses: Readonly<Record<string, string>>): JsonSchema => ({
  get: {
    tags: ['Health'],
    summary,
    security: [],
    responses: Object.fromEntries(
      Object.entries(statuses).map(([status, description]) => [
        status,
        { description, content: { 'application/json': { schema: { type: 'object' } } } },
      ]),
    ),
  },
});

/** What the gateway answers by itself. */
const HEALTH_PATHS: Readonly<Record<string, JsonSchema>> = {
  '/health': HEALTH('Tells that the gateway lives, and what is behind it', { 200: 'It lives' }),
  '/health/openstack': HEALTH('Tells whether OpenStack can be used', { 200: 'It can', 503: 'It cannot' }),
  '/ready': HEALTH('Tells whether the gateway can serve', { 200: 'It can', 503: 'It cannot' }),
};
