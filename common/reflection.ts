// gRPC reflection, so that independent clients can list services and build requests without our protos. The reflection
// library wants proto-loader's form of the protos; nothing else here does.

import { resolve } from 'node:path';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';

const PROTO = resolve(import.meta.dirname, '../proto');

/** Reflection for the services named, such as `pucp.slice.v1.SliceService`. Reads their protos from disk. */
export function reflection(services: readonly string[]): ReflectionService {
  const files = services.map((name) => `${fileOf(name)}.proto`);
  const definition = loadSync(files, { includeDirs: [PROTO], keepCase: true });
  return new ReflectionService(definition, { services: [...services] });
}

// pucp.slice.v1.SliceService lies in pucp/slice/v1/slice_service.proto: the rule of `buf lint` and of docs/.
function fileOf(service: string): string {
  const parts = service.split('.');
  const file = (parts.pop() ?? '').replace(/(?<=[a-z])(?=[A-Z])/g, '_').toLowerCase();
  return [...parts, file].join('/');
}
