// gRPC reflection, so that independent clients can list services and build requests without our protos.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { ReflectionService } from '@grpc/reflection';

const DESCRIPTORS = resolve(import.meta.dirname, '../proto/gen/descriptors.binpb');

/**
 * Reflection for the services named, such as `pucp.slice.v1.SliceService`. The library would have proto-loader's form of
 * the protos, which merges files and loses their imports; it takes the true descriptors just as well, and needs no more.
 */
export function reflection(services: readonly string[]): ReflectionService {
  const files = { descriptors: { fileDescriptorProtos: filesOf(readFileSync(DESCRIPTORS)) } };
  const given = files as unknown as ConstructorParameters<typeof ReflectionService>[0];
  return new ReflectionService(given, { services: [...services] });
}

// A FileDescriptorSet is one field, 1, repeated. The files are handed on as they are: a decoder that does not know of
// presence would lose what is set to its default, such as a oneof's index 0.
function filesOf(set: Uint8Array): Buffer[] {
  const reader = new BinaryReader(set);
  const files: Buffer[] = [];
  while (reader.pos < reader.len) {
    reader.tag();
    files.push(Buffer.from(reader.bytes()));
  }
  return files;
}
