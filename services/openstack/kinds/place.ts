// Where the kinds work: one slice in one project, and the names and marks by which what is made there is found again.

import type { CallContext as EngineContext } from '#engine/kind.ts';
import type { Scope } from '#proto/pucp/driver/v1/driver_service.ts';
import type { ProjectClients } from '../api/cloud.ts';
import type { CallContext } from '../api/settings.ts';
import { type Marker, neutronFilter } from '../api/tagging.ts';

export type SlicePlace = {
  readonly scope: Scope;
  /** Clients of the project that the slice lies in. */
  readonly clients: ProjectClients;
  /** Clients of an administrator, for what a project may not do itself. */
  readonly home: ProjectClients;
  readonly projectId: string;
  /** Whether the project is there no more: then the clients are an administrator's, and look for what is left of it. */
  readonly isOrphaned: boolean;
  /** What all of the slice bears. */
  readonly marker: Marker;
  /** What all of the owner's servers bear. */
  readonly ownerMarker: Marker;
  /** Under which all logs know the work. */
  readonly requestId: string | undefined;
  /** Ids of what the cloud offers. Each throws what is wrong with a name. */
  readonly imageId: (name: string, context: CallContext) => Promise<string>;
  readonly flavor: (
    name: string,
    context: CallContext,
  ) => Promise<{ readonly id: string; readonly name: string }>;
  /** What one of the owner's key pairs is called in the cloud. */
  readonly keyName: (name: string) => string;
  readonly externalNetworkId: (context: CallContext) => Promise<string>;
};

/** The context of a call to the cloud within a call of the engine. */
export function within({ requestId }: SlicePlace, { signal }: EngineContext): CallContext {
  return { signal, requestId };
}

/** What to list by in Nova and Cinder besides the mark. */
export function fromProject({ isOrphaned, projectId }: SlicePlace) {
  return isOrphaned ? { allProjects: true, projectId } : {};
}

/** By what Neutron lists what is the slice's: an administrator's list would show that of other projects, too. */
export function neutronOurs({ marker, isOrphaned, projectId }: SlicePlace) {
  return { ...neutronFilter(marker), ...(isOrphaned && { project_id: projectId }) };
}

/** `lab-net1` for `net1` of the slice `lab`. */
export function cloudName({ scope }: SlicePlace, name: string): string {
  return `${scope.sliceName}-${name}`;
}

/** `net1` for `lab-net1`. What bears the slice's mark but another name was renamed: it is known by that name. */
export function localName({ scope }: SlicePlace, name: string): string {
  const prefix = `${scope.sliceName}-`;
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}
