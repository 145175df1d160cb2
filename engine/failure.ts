// Failures that end a run: what they are about, and what a user can do.

import { Failure } from '#common/errors.ts';
import type { FailedResource } from '#proto/pucp/driver/v1/driver_service.ts';
import type { Resource } from '#proto/pucp/driver/v1/resource.ts';
import { type Found, kindOf } from './kind.ts';

export type TerminalOptions = {
  readonly message: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** What could not be made, altered or removed. */
  readonly resources: readonly Resource[];
  /** The resource if the cloud gave it up later, so that no call failed. */
  readonly broken?: Found;
};

/** No waiting helps; the run ends with it. */
export class TerminalFailure extends Failure {
  readonly resources: readonly Resource[];
  readonly broken: Found | undefined;

  constructor(
    failure: Failure,
    { message, metadata = failure.metadata, resources, broken }: TerminalOptions,
  ) {
    const { code, reason, violations } = failure;
    super({ code, reason, message, violations, metadata, retryable: false, cause: failure });
    this.resources = resources;
    this.broken = broken;
  }
}

/** What a run failed at, each with the cloud's own words. */
export function failedResources(failure: Failure): FailedResource[] {
  if (!(failure instanceof TerminalFailure)) return [];
  const { message } = failure.cause instanceof Failure ? failure.cause : failure;
  return failure.resources.map((resource) => ({ kind: kindOf(resource), name: resource.name, message }));
}

/** A failure as people read it: what happened, the cloud's request id if there is one, and what to do. */
export function explain({ message, reason }: Failure, requestId: string | undefined): string {
  const said = requestId ? `${message} (request ${requestId})` : message;
  return `${said.replace(/\.$/, '')}. ${REMEDIES[reason] ?? OTHERWISE}`;
}

const WHEN_WELL = 'Deploy again when the cloud is well.';
const OTHERWISE = 'Deploy again; if it fails the same way, show this message to an administrator.';

/** By the reason's name, which drivers share. */
const REMEDIES: Readonly<Record<string, string>> = {
  QUOTA_EXCEEDED: 'Remove what you do not need, ask for less, or ask an administrator for a larger quota.',
  NO_VALID_HOST: 'Choose a smaller flavor or another zone, or deploy again when there is room.',
  ADDRESSES_EXHAUSTED: 'Choose a larger range, or ask an administrator for more addresses outside.',
  NETWORKS_EXHAUSTED: 'Remove networks, or ask an administrator for more segments.',
  ADDRESS_IN_USE: 'Choose another address.',
  VLAN_IN_USE: 'Choose another VLAN, or leave it to the cloud.',
  UNKNOWN_IMAGE: 'Choose one of these for the node, and deploy again.',
  UNKNOWN_FLAVOR: 'Choose one of these for the node, and deploy again.',
  NO_EXTERNAL_NETWORK: 'Do without a way outside, or ask an administrator for one.',
  ITEM_NOT_FOUND: 'Deploy again: what has gone is looked for anew.',
  CLOUD_REFUSED: 'Change what it refuses in the spec, and deploy again.',
  CLOUD_FORBIDDEN: 'Ask an administrator to give the orchestrator that right.',
  AUTHENTICATION_FAILED: 'Ask an administrator to correct it, and deploy again.',
  SERVER_FAULT:
    'Deploy again; if it fails the same way, choose another image or flavor, or ask an administrator.',
  CLOUD_UNREACHABLE: WHEN_WELL,
  CLOUD_TIMEOUT: WHEN_WELL,
  CLOUD_ERROR: WHEN_WELL,
  CLOUD_RATE_LIMITED: WHEN_WELL,
  STEP_TOO_SLOW: 'Deploy again; if it is as slow, ask an administrator to look at the cloud.',
};
