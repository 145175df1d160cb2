// A project as REST clients see it, and what its name and description may be.

import { Failure, type FieldViolation } from '#common/errors.ts';
import { Project } from '#proto/pucp/openstack/v1/openstack.ts';
import type { KnownProject } from '../tenancy.ts';

export function projectView({ id, name, description, enabled, ownerId }: KnownProject): Project {
  return Project.fromPartial({
    id,
    projectName: name,
    openstackProjectId: id,
    description,
    userId: ownerId ?? 'system',
    enabled,
  });
}

/** What is wrong with them; undefined is nothing to be checked. */
export function* checkProjectWords(words: {
  readonly projectName?: string | undefined;
  readonly description?: string | undefined;
}): Generator<FieldViolation> {
  const { projectName, description = '' } = words;
  if (projectName !== undefined && (projectName.trim() === '' || projectName.length > 64)) {
    yield { field: 'project_name', message: 'must have 1 to 64 characters' };
  }
  if (description.length > 2000) {
    yield { field: 'description', message: 'must have at most 2000 characters' };
  }
}

/** Keystone's refusal of a name that is taken, in our words; undefined for anything else. */
export function nameTaken(error: unknown, name: string): Failure | undefined {
  if (!(error instanceof Failure) || error.code !== 'ALREADY_EXISTS') return undefined;
  return new Failure({
    code: 'ALREADY_EXISTS',
    reason: 'PROJECT_EXISTS',
    message: `A project named "${name}" exists already: choose another name`,
    cause: error,
  });
}
