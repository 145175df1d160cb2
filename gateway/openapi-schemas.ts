// JSON Schema of messages as this gateway reads and writes them, for the components of the OpenAPI document.

import protobuf from 'protobufjs';
import { isOneofMember, isOptional } from './json-writer.ts';
import { enumComments, enumNames } from './names.ts';
import { WELL_KNOWN } from './well-known.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** Answers print every field; requests may leave any out. */
export type Direction = 'request' | 'answer';

export type Schemas = {
  /** A reference to a message's schema, which is added to the components. */
  messageRef(type: protobuf.Type, direction: Direction): JsonSchema;
  /** The schema of one field with its comment, lists and maps included. */
  field(field: protobuf.Field, direction: Direction): JsonSchema;
  /** The schema of a request without some of its fields, in place. */
  without(type: protobuf.Type, left: ReadonlySet<string>): JsonSchema;
  /** Everything that was referred to, by name. */
  components(): Readonly<Record<string, JsonSchema>>;
};

export function createSchemas(): Schemas {
  const components = new Map<string, JsonSchema>();
  const schemas: Schemas = {
    messageRef(type, direction) {
      const wellKnown = WELL_KNOWN.get(type.fullName);
      if (wellKnown) return wellKnown.schema;
      const name = componentName(type, direction);
      if (!components.has(name)) {
        // Registered before its fields are looked at: a message may contain itself.
        components.set(name, {});
        components.set(name, messageSchema(type, type.fieldsArray, direction));
      }
      return { $ref: `#/components/schemas/${name}` };
    },
    field(field, direction) {
      const description = field.resolve().comment ?? '';
      return { ...(description === '' ? {} : { description }), ...fieldSchema(field, direction) };
    },
    without(type, left) {
      const kept = type.fieldsArray.filter((field) => !left.has(field.name));
      if (kept.length === type.fieldsArray.length && kept.length > 0)
        return schemas.messageRef(type, 'request');
      return messageSchema(type, kept, 'request');
    },
    components: () => Object.fromEntries([...components].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
  return schemas;

  function messageSchema(type: protobuf.Type, fields: protobuf.Field[], direction: Direction): JsonSchema {
    const properties = Object.fromEntries(
      fields.map((field) => [field.name, schemas.field(field, direction)]),
    );
    const required = fields.filter((field) => !isOneofMember(field)).map((field) => field.name);
    return {
      type: 'object',
      ...(type.comment ? { description: type.comment } : {}),
      properties,
      ...(direction === 'answer' && required.length > 0 ? { required } : {}),
      ...(direction === 'request' ? { additionalProperties: false } : {}),
    };
  }

  function fieldSchema(field: protobuf.Field, direction: Direction): JsonSchema {
    const one = valueSchema(field, direction);
    if (field instanceof protobuf.MapField) return { type: 'object', additionalProperties: one };
    if (field.repeated) return { type: 'array', items: one };
    const canBeNull =
      isOptional(field) || (field.resolvedType instanceof protobuf.Type && !isOneofMember(field));
    return direction === 'answer' && canBeNull ? nullable(one) : one;
  }

  function valueSchema(field: protobuf.Field, direction: Direction): JsonSchema {
    const type = field.resolvedType;
    if (type instanceof protobuf.Type) return schemas.messageRef(type, direction);
    if (type instanceof protobuf.Enum) return enumSchema(type, direction);
    return scalarSchema(field.type);
  }
}

// `slice.Slice`, not `Slice`: several packages have a Network, and a new one must not rename another.
function componentName(type: protobuf.Type, direction: Direction): string {
  const name = type.fullName.replace(/^\.(pucp\.)?/, '').replace(/\.v\d+\./, '.');
  return direction === 'request' && !name.endsWith('Request') ? `${name}Input` : name;
}

function enumSchema(type: protobuf.Enum, direction: Direction): JsonSchema {
  const comments = enumComments(type);
  const names = enumNames(type);
  const lines = names.map((name) => `- \`${name}\`: ${comments.get(name) ?? ''}`);
  const schema = { type: 'string', enum: names, description: [type.comment ?? '', ...lines].join('\n') };
  return direction === 'answer' && names.length < Object.keys(type.values).length ? nullable(schema) : schema;
}

function scalarSchema(type: string): JsonSchema {
  switch (type) {
    case 'string':
      return { type: 'string' };
    case 'bool':
      return { type: 'boolean' };
    case 'bytes':
      return { type: 'string', contentEncoding: 'base64' };
    case 'float':
    case 'double':
      return { type: 'number', format: type };
    case 'int64':
    case 'sint64':
    case 'sfixed64':
    case 'uint64':
    case 'fixed64':
      return { type: 'string', format: 'int64' };
    case 'uint32':
    case 'fixed32':
      return { type: 'integer', minimum: 0, maximum: 2 ** 32 - 1 };
    default:
      return { type: 'integer', format: 'int32' };
  }
}

function nullable(schema: JsonSchema): JsonSchema {
  if (typeof schema.type !== 'string') return { anyOf: [schema, { type: 'null' }] };
  const values = Array.isArray(schema.enum) ? { enum: [...schema.enum, null] } : {};
  return { ...schema, type: [schema.type, 'null'], ...values };
}
