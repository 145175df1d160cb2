// What is said of a resource in a slice's history, in sentences.

import { type Resource, ResourceState } from '#proto/pucp/driver/v1/resource.ts';
import { SliceEventType } from '#proto/pucp/slice/v1/slice_service.ts';
import { stateWord } from './resource-views.ts';
import { kindOf, type NewEvent } from './rows.ts';

/** That a resource came into its state. */
export function resourceEvent(resource: Resource): NewEvent {
  return {
    type: resource.state === ResourceState.BROKEN ? SliceEventType.ERROR : SliceEventType.RESOURCE,
    resourceKind: kindOf(resource),
    resourceName: resource.name,
    resourceState: stateWord(resource.state),
    message: sentence(resource),
  };
}

const SAID: Readonly<Record<ResourceState, string>> = {
  RESOURCE_STATE_UNSPECIFIED: 'is wished for',
  RESOURCE_STATE_PENDING: 'waits for its turn',
  RESOURCE_STATE_CREATING: 'is being created',
  RESOURCE_STATE_UPDATING: 'is being changed',
  RESOURCE_STATE_READY: 'is ready',
  RESOURCE_STATE_BROKEN: 'failed',
  RESOURCE_STATE_DELETING: 'is being removed',
  RESOURCE_STATE_DELETED: 'is gone',
};

function sentence(resource: Resource): string {
  const kind = kindOf(resource).replaceAll('_', ' ');
  const who = `${kind.charAt(0).toUpperCase()}${kind.slice(1)} ${resource.name}`;
  return `${who} ${SAID[resource.state]}${resource.message === '' ? '' : `: ${resource.message}`}`;
}
