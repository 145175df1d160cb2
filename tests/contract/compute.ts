// What the tests of compute share: the client of its service, a running instance, and looking until it is as wanted.

import assert from 'node:assert/strict';
import { type Client, connect } from '#common/rpc-client.ts';
import {
  type ComputeServiceServer,
  ComputeServiceService,
} from '#proto/pucp/openstack/v1/compute_service.ts';
import type { Instance } from '#proto/pucp/openstack/v1/openstack.ts';
import { CreateInstanceRequest } from '#proto/pucp/openstack/v1/openstack_service.ts';
import { type Contract, type ContractUser, failureOf, until } from './contract.ts';

export type ComputeClient = Client<ComputeServiceServer>;

export function connectCompute(contract: Contract): ComputeClient & { close(): void } {
  return connect<ComputeServiceServer>(ComputeServiceService, contract.url);
}

/** An instance of the user's own, running, with no network unless asked for. */
export async function runningInstance(
  contract: Contract,
  { options }: ContractUser,
  fields: Partial<CreateInstanceRequest>,
): Promise<Instance> {
  const request = CreateInstanceRequest.fromPartial({ imageId: 'cirros', flavorId: 'nano', ...fields });
  const { id } = await contract.client.createInstance(request, options);
  return await settled(contract, { options }, { id, status: 'active' });
}

/** The instance once it has this status and Nova is done with it. */
export async function settled(
  contract: Contract,
  { options }: Pick<ContractUser, 'options'>,
  { id, status }: { readonly id: string; readonly status: string },
): Promise<Instance> {
  let last: Instance | undefined;
  await until(async () => {
    last = await contract.client.getInstance({ id }, options);
    assert.notEqual(last.status, 'error', last.errorMessage);
    return last.status === status && last.taskState === '';
  }, `instance ${id} is ${status}`);
  assert(last);
  return last;
}

export async function isRefused(call: Promise<unknown>, code: string, words = /./): Promise<void> {
  const failure = await failureOf(call);
  assert.equal(failure.code, code, failure.message);
  assert.match(failure.message, words);
}
