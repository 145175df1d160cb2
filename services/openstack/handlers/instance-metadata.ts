// A server's metadata. Some of it says what the orchestrator needs to find again, and is not a user's to change.

import { type FieldViolation, invalid } from '#common/errors.ts';
import type { Handlers } from '#common/rpc-server.ts';
import type { ComputeServiceServer } from '#proto/pucp/openstack/v1/compute_service.ts';
import { absentIsDone } from '../api/errors.ts';
import type { Server } from '../api/nova-servers.ts';
import { isKeptKey } from '../kept-keys.ts';
import { callContext } from './deps.ts';
import type { Instances } from './instance-find.ts';
import { checkMetadata } from './metadata-check.ts';

type MetadataHandlers = Pick<
  Handlers<ComputeServiceServer>,
  'mergeInstanceMetadata' | 'replaceInstanceMetadata' | 'deleteInstanceMetadata'
>;

// Nova's limit (api-ref, "Create Server").
const MAX_ENTRIES = 128;

export function instanceMetadataHandlers(instances: Instances): MetadataHandlers {
  return {
    async mergeInstanceMetadata({ id, metadata }, context) {
      const server = await instances.find(id, context);
      check(server, metadata);
      if (Object.keys(metadata).length === 0) return { metadata: { ...server.metadata } };
      const nova = await instances.changerOf(server, context);
      return { metadata: { ...(await nova.mergeServerMetadata(id, metadata, callContext(context))) } };
    },

    async replaceInstanceMetadata({ id, metadata }, context) {
      const server = await instances.find(id, context);
      check(server, metadata);
      const kept = Object.entries(server.metadata).filter(([key]) => isKeptKey(server, key));
      const whole = { ...metadata, ...Object.fromEntries(kept) };
      const nova = await instances.changerOf(server, context);
      return { metadata: { ...(await nova.replaceServerMetadata(id, whole, callContext(context))) } };
    },

    async deleteInstanceMetadata({ id, key }, context) {
      const server = await instances.find(id, context);
      if (isKeptKey(server, key)) throw invalid([{ field: 'key', message: keptMessage(key) }]);
      const { [key]: value, ...rest } = server.metadata;
      if (value === undefined) return { metadata: rest };
      const nova = await instances.changerOf(server, context);
      await absentIsDone(nova.deleteServerMetadata({ id, key }, callContext(context)));
      return { metadata: { ...(await instances.find(id, context)).metadata } };
    },
  };
}

function check(server: Server, metadata: Readonly<Record<string, string>>): void {
  const violations: FieldViolation[] = [...checkMetadata(metadata, MAX_ENTRIES)];
  for (const [key, value] of Object.entries(metadata)) {
    if (!isKeptKey(server, key) || server.metadata[key] === value) continue;
    violations.push({ field: `metadata[${key}]`, message: keptMessage(key) });
  }
  if (violations.length > 0) throw invalid(violations);
}

function keptMessage(key: string): string {
  return `"${key}" is what the orchestrator finds the instance by: choose another key`;
}
