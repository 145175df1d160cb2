// Names and descriptions of Neutron's things. The mark of who made a thing stands in its description, since that is the
// one text that the creating call itself sets; a user's own words follow it after a space, and are all that users see. A word
// of `~` and eight hexadecimal digits may stand between them: the call that made the thing, if its answer were lost.

import { Failure, type FieldViolation } from '#common/errors.ts';
import { deployedSliceOf, type Marked, OWNER_MARK, SLICE_MARK } from '../marks.ts';

// Neutron takes 255 characters; the longest mark has 57, and a call's 10 more.
const MAX_DESCRIPTION = 180;
const MAX_NAME = 255;
const MARK = new RegExp(`^(?:${OWNER_MARK}|${SLICE_MARK}):\\S*(?: ~[0-9a-f]{8}(?= |$))?`);

/** The description to store. */
export function describe(mark: string, text: string): string {
  return text === '' ? mark : `${mark} ${text}`.trim();
}

/** The user's own words in it. */
export function descriptionOf({ description }: Marked): string {
  return (description ?? '').replace(MARK, '').trimStart();
}

/** The mark in it; empty if there is none. */
export function markIn({ description }: Marked): string {
  return MARK.exec(description ?? '')?.[0] ?? '';
}

export function* checkDescription(text: string | undefined): Generator<FieldViolation> {
  if ((text ?? '').length > MAX_DESCRIPTION) {
    yield { field: 'description', message: `must have at most ${MAX_DESCRIPTION} characters` };
  }
}

/** A name that may be empty. */
export function* checkOptionalName(name: string | undefined): Generator<FieldViolation> {
  if ((name ?? '').length > MAX_NAME) {
    yield { field: 'name', message: `must have at most ${MAX_NAME} characters` };
  }
}

export function* checkName(name: string | undefined): Generator<FieldViolation> {
  if (name === undefined) return;
  if (name.trim() === '' || name.length > MAX_NAME) {
    yield { field: 'name', message: `must have 1 to ${MAX_NAME} characters` };
  }
}

type TextChanges = { readonly name?: string | undefined; readonly description?: string | undefined };
type Thing = Marked & { readonly id: string; readonly name?: string };

/**
 * The part of a change that is about name and description. FAILED_PRECONDITION for what a deployed slice is found by: it
 * would lose the thing, and make another one.
 */
export function textChanges(request: TextChanges, thing: Thing): { name?: string; description?: string } {
  const { name, description } = request;
  const slice = deployedSliceOf(thing);
  if (slice !== undefined && (name !== undefined || description !== undefined)) {
    throw new Failure({
      code: 'FAILED_PRECONDITION',
      reason: 'BELONGS_TO_SLICE',
      message: `"${thing.name || thing.id}" belongs to slice ${slice}, which finds it by its name and description: change the slice instead`,
      metadata: { id: thing.id, slice_id: slice },
    });
  }
  return {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description: describe(markIn(thing), description) }),
  };
}

/** Whether a list is to be changed: one that has something in it, or that the mask names. */
export function isGiven(list: readonly unknown[], field: string, mask: readonly string[]): boolean {
  return list.length > 0 || mask.includes(field);
}
