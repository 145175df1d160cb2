// The protos as the gateway sees them: read at start, every rpc with its types, comments and options. What REST makes
// of them lies in routes.ts, transcode.ts and openapi.ts.

import { globSync } from 'node:fs';
import { join } from 'node:path';
import type { MethodDefinition } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import protobuf from 'protobufjs';
import type { checkAccess } from '#common/caller.ts';

export type Access = Parameters<typeof checkAccess>[0];
type HttpMethod = 'GET' | 'PUT' | 'POST' | 'DELETE' | 'PATCH';

/** One way to call an rpc over REST: google/api/http.proto, HttpRule. */
export type Binding = {
  readonly httpMethod: HttpMethod;
  readonly template: string;
  /** `*`, the name of a field, or empty for no body. */
  readonly body: string;
  /** The field of the response that is the whole body, or empty for all of it. */
  readonly responseBody: string;
};

export type Message = Record<string, unknown>;

export type Method = {
  /** As gRPC calls it: `/pucp.slice.v1.SliceService/GetSlice`. */
  readonly path: string;
  readonly packageName: string;
  readonly serviceName: string;
  readonly name: string;
  readonly comment: string;
  readonly requestType: protobuf.Type;
  readonly responseType: protobuf.Type;
  readonly isServerStream: boolean;
  /** Whether the request is a stream, whose bytes are then the body: see upload.ts. */
  readonly isClientStream: boolean;
  readonly access: Access;
  /** The HTTP status of a success. */
  readonly httpStatus: number;
  readonly hasSideEffects: boolean;
  /** Empty if the rpc is not offered over REST. */
  readonly bindings: readonly Binding[];
  readonly definition: MethodDefinition<Message, Message>;
};

export type Schema = {
  readonly methods: readonly Method[];
  /** The comment of each service by its full name. */
  readonly serviceComments: ReadonlyMap<string, string>;
};

const HTTP_METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;
const ACCESS = ['PUBLIC', 'READ', 'WRITE', 'ADMIN', 'SERVICE'].map((name) => `ACCESS_${name}`);

/**
 * Reads every `*_service.proto` below the folders; imports are looked for in the same folders. Throws, naming the rpc,
 * if one has no access rule or offers over REST what REST cannot do.
 */
export function loadSchema(folders: readonly string[]): Schema {
  const root = parse(folders);
  // One parse serves both: protobufjs keeps comments and resolved types, proto-loader makes grpc-js definitions.
  const definitions = fromJSON(root.toJSON(), { keepCase: true, longs: String });
  const services = servicesOf(root);
  const methods = services.flatMap((service) => {
    const serviceName = service.fullName.slice(1);
    const definition = definitions[serviceName] as Record<string, Definition> | undefined;
    return service.methodsArray.map((method) => {
      const found = definition?.[method.name];
      if (!found) throw new Error(`proto-loader does not know ${serviceName}.${method.name}`);
      return describe(serviceName, method, found);
    });
  });
  const comments = services.map((service) => [service.fullName.slice(1), service.comment ?? ''] as const);
  return { methods, serviceComments: new Map(comments) };
}

type Definition = MethodDefinition<Message, Message> & { options?: Readonly<Record<string, unknown>> };

function parse(folders: readonly string[]): protobuf.Root {
  const root = new protobuf.Root();
  const known = new Map(
    folders.flatMap((folder) =>
      globSync('**/*.proto', { cwd: folder }).map((path) => [path, join(folder, path)]),
    ),
  );
  root.resolvePath = (_origin, target) => known.get(target) ?? target;
  const entries = [...known].filter(([path]) => path.endsWith('_service.proto')).map(([, full]) => full);
  root.loadSync(entries.sort(), { keepCase: true, alternateCommentMode: true });
  root.resolveAll();
  return root;
}

function servicesOf(namespace: protobuf.NamespaceBase): protobuf.Service[] {
  return namespace.nestedArray.flatMap((nested) => {
    if (nested instanceof protobuf.Service) return [nested];
    return nested instanceof protobuf.Namespace ? servicesOf(nested) : [];
  });
}

function describe(serviceName: string, method: protobuf.Method, definition: Definition): Method {
  const { resolvedRequestType: requestType, resolvedResponseType: responseType } = method;
  if (!requestType || !responseType) throw new Error(`${definition.path} has types that are not found`);
  const options = definition.options ?? {};
  const access = String(options['(pucp.api.v1.access)'] ?? '');
  const bindings = bindingsOf(definition.path, options['(google.api.http)']);
  if (!ACCESS.includes(access)) throw new Error(`${definition.path} has no option (pucp.api.v1.access)`);
  if (bindings.length > 0 && access === 'ACCESS_SERVICE')
    throw new Error(`${definition.path} is for services only and must not have google.api.http`);
  if (definition.requestStream && !bindings.every((binding) => isUpload(definition, requestType, binding)))
    throw new Error(
      `${definition.path} streams requests, which REST can do only with a body of bytes and answers that stream too`,
    );
  return {
    path: definition.path,
    packageName: serviceName.slice(0, serviceName.lastIndexOf('.')),
    serviceName,
    name: method.name,
    comment: method.comment ?? '',
    requestType,
    responseType,
    isServerStream: definition.responseStream,
    isClientStream: definition.requestStream,
    access: access as Access,
    httpStatus: Number(options['(pucp.api.v1.http_status)'] ?? 200),
    hasSideEffects: options.idempotency_level !== 'NO_SIDE_EFFECTS',
    bindings,
    definition,
  };
}

function isUpload(definition: Definition, requestType: protobuf.Type, { body }: Binding): boolean {
  const field = requestType.fields[body];
  return definition.responseStream && field?.type === 'bytes' && !field.repeated;
}

function bindingsOf(path: string, rule: unknown): Binding[] {
  if (rule === undefined) return [];
  if (typeof rule !== 'object' || rule === null)
    throw new Error(`${path} has a google.api.http that is no rule`);
  const { additional_bindings: more, ...own } = rule as Record<string, unknown>;
  const httpMethod = HTTP_METHODS.find((name) => typeof own[name] === 'string');
  if (!httpMethod) throw new Error(`${path} has a google.api.http without get, put, post, delete or patch`);
  const binding = {
    httpMethod: httpMethod.toUpperCase() as HttpMethod,
    template: String(own[httpMethod]),
    body: String(own.body ?? ''),
    responseBody: String(own.response_body ?? ''),
  };
  const others = more === undefined ? [] : Array.isArray(more) ? more : [more];
  return [binding, ...others.flatMap((other) => bindingsOf(path, other))];
}
