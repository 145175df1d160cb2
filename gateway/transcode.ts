// Between REST and gRPC for one binding of an rpc: path, query and body become the request message, the response message
// becomes the body.

import type protobuf from 'protobufjs';
import { type Failure, type FieldViolation, invalid } from '#common/errors.ts';
import { readField, readMessage } from './json-reader.ts';
import { fieldWriter, type Write, writerOf } from './json-writer.ts';
import type { PathTemplate } from './path-template.ts';
import { assign, fieldPath, fromText, isTextField, readQuery } from './query.ts';
import type { Binding, Message, Method } from './schema.ts';

export type RequestParts = {
  /** Values of the path's variables, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Parsed JSON; undefined if there was no body. */
  readonly body: unknown;
};

export type Transcoder = {
  /** The request message. Throws INVALID_ARGUMENT with every mistake. */
  readonly read: (parts: RequestParts) => Message;
  /** The JSON of a response message. */
  readonly write: Write;
  /** The names, dotted, of the fields that are not for the query: those of the path and of the body. */
  readonly taken: ReadonlySet<string>;
  /** Whether the endpoint takes a body. */
  readonly hasBody: boolean;
};

const MAX_VIOLATIONS = 50;
/**
 * A field of this name says which fields a PATCH is about. A list that the body sets to [] does not survive as a message,
 * so the body's own fields are put here unless it says it itself (AIP-134).
 */
const MASK = 'update_mask';
/** A field of this name asks for a check alone (AIP-163): where a success would be a 201, the answer is then a 200. */
const CHECK_ALONE = 'validate_only';

/** Throws, naming the rpc, if the binding names fields that the messages do not have. */
export function createTranscoder(method: Method, binding: Binding, template: PathTemplate): Transcoder {
  const { requestType } = method;
  // Whatever can be written can be read; what cannot is to be found now and not with a request.
  writerOf(requestType);
  const variables = template.variables.map(({ field }) => {
    const fields = fieldPath(requestType, field);
    const last = fields?.at(-1);
    if (!fields || !last || last.repeated || !isTextField(last))
      throw new Error(
        `${method.path}: the path names "${field}", which is no single field of ${requestType.name}`,
      );
    return { field, fields, last, canonical: fields.map((one) => one.name).join('.') };
  });
  const bodyField =
    binding.body === '' || binding.body === '*' ? undefined : requestType.fields[binding.body];
  if (binding.body !== '' && binding.body !== '*' && !bodyField)
    throw new Error(`${method.path}: body "${binding.body}" is no field of ${requestType.name}`);
  const hasMask = binding.httpMethod === 'PATCH' && requestType.fields[MASK]?.repeated === true;
  const taken = new Set(variables.map(({ canonical }) => canonical));
  if (bodyField) taken.add(bodyField.name);
  if (binding.body === '*') {
    for (const field of requestType.fieldsArray) if (!isForQuery(field)) taken.add(field.name);
  }

  return {
    read({ params, query, body }) {
      const reading = { problems: [] as FieldViolation[], depth: 0 };
      let message: Message = {};
      if (binding.body === '*') {
        message = (readMessage(requestType, body ?? {}, '', reading) as Message | undefined) ?? {};
        if (hasMask) message[MASK] ??= Object.keys(message);
      } else if (bodyField) {
        if (body !== undefined && body !== null)
          message[bodyField.name] = readField(bodyField, body, bodyField.name, reading);
      }
      readQuery(requestType, query, { message, taken, reading });
      for (const { field, fields, last } of variables) {
        const value = readField(last, fromText(last, params[field] ?? ''), field, reading);
        const other = valueAt(message, fields);
        if (other !== undefined && other !== value)
          reading.problems.push({ field, message: 'says something else than the path; leave it out' });
        assign(message, fields, value);
      }
      if (reading.problems.length > 0) throw mistakes(reading.problems);
      return message;
    },
    write: responseWriter(method, binding),
    taken,
    hasBody: binding.body !== '',
  };
}

/** The HTTP statuses that a success may have, the usual one first. */
export function successStatuses({ httpStatus, requestType }: Method): readonly number[] {
  return requestType.fields[CHECK_ALONE] && httpStatus !== 200 ? [httpStatus, 200] : [httpStatus];
}

/** The HTTP status of a request's success. */
export function statusOfSuccess(method: Method, request: Message): number {
  return request[CHECK_ALONE] === true ? 200 : method.httpStatus;
}

/** The field that is the whole body of the response, if the binding names one. */
export function responseField(method: Method, binding: Binding): protobuf.Field | undefined {
  if (binding.responseBody === '') return undefined;
  const field = method.responseType.fields[binding.responseBody];
  if (!field)
    throw new Error(
      `${method.path}: response_body "${binding.responseBody}" is no field of ${method.responseType.name}`,
    );
  return field;
}

function responseWriter(method: Method, binding: Binding): Write {
  const field = responseField(method, binding);
  if (!field) return writerOf(method.responseType);
  const { name, write, absent } = fieldWriter(field);
  return (value) => {
    const present = (value as Message)[name];
    return present === undefined || present === null ? (absent() ?? null) : write(present);
  };
}

/** Whether a query may give the field though the whole message is the body. */
function isForQuery(field: protobuf.Field): boolean {
  return field.options?.['(pucp.api.v1.in_query)'] === true;
}

function valueAt(message: Message, fields: readonly protobuf.Field[]): unknown {
  let at: unknown = message;
  for (const field of fields) at = (at as Message | undefined)?.[field.name];
  return at;
}

function mistakes(problems: readonly FieldViolation[]): Failure {
  if (problems.length <= MAX_VIOLATIONS) return invalid(problems.map(named));
  const shown = problems.slice(0, MAX_VIOLATIONS).map(named);
  return invalid([
    ...shown,
    { field: 'body', message: `and ${problems.length - MAX_VIOLATIONS} more mistakes` },
  ]);
}

function named({ field, message }: FieldViolation): FieldViolation {
  return { field: field === '' ? 'body' : field, message };
}
