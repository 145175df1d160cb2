// Where a run of the commands differs from what a real cloud answered.

import type { Shape } from './shapes.ts';

export type Answer = {
  readonly as: string;
  readonly command: string;
  readonly exit: number | string;
  readonly shape: Shape;
  readonly error: string;
};

export type Difference = {
  readonly command: string;
  /** exit, error, or the path in the shape. */
  readonly at: string;
  readonly expected: string;
  readonly found: string;
};

/** Differences that are known, each with its reason; a list that only shrinks. */
export type KnownDifference = Difference & { readonly why: string };

/** Both runs must be of the same list of commands; otherwise the recording is to be made anew. */
export function compare(expected: readonly Answer[], found: readonly Answer[]): Difference[] {
  const differences: Difference[] = [];
  for (let index = 0; index < Math.max(expected.length, found.length); index++) {
    const [real, ours] = [expected[index], found[index]];
    if (
      real?.command !== ours?.command ||
      real?.as !== ours?.as ||
      real === undefined ||
      ours === undefined
    ) {
      const command = real?.command ?? ours?.command ?? '';
      differences.push({ command, at: 'list', expected: real?.command ?? '', found: ours?.command ?? '' });
      break;
    }
    differences.push(...compareAnswers(real, ours));
  }
  return differences;
}

function compareAnswers(real: Answer, ours: Answer): Difference[] {
  const { command } = real;
  if (real.exit !== ours.exit) {
    const say = ({ exit, error }: Answer) => (error === '' ? `${exit}` : `${exit}: ${error}`);
    return [{ command, at: 'exit', expected: say(real), found: say(ours) }];
  }
  if (real.error !== ours.error) return [{ command, at: 'error', expected: real.error, found: ours.error }];
  return compareShapes(real.shape, ours.shape, '').map((difference) => ({ command, ...difference }));
}

function compareShapes(real: Shape, ours: Shape, at: string): Omit<Difference, 'command'>[] {
  if (typeof real === 'string' && typeof ours === 'string') {
    return isSame(real, ours, at) ? [] : [{ at, expected: real, found: ours }];
  }
  if (typeof real === 'string' || typeof ours === 'string' || '[]' in real !== '[]' in ours) {
    return isBothLists(real, ours, at) ? [] : [{ at, expected: worded(real), found: worded(ours) }];
  }
  return [...new Set([...Object.keys(real), ...Object.keys(ours)])].flatMap((key) => {
    const place = at === '' ? key : `${at}.${key}`;
    const [left, right] = [real[key], ours[key]];
    if (left !== undefined && right !== undefined) return compareShapes(left, right, place);
    return [{ at: place, expected: worded(left), found: worded(right) }];
  });
}

// In rows of a list stand things that the run did not make: there may be more or fewer that have no value.
function isSame(real: string, ours: string, at: string): boolean {
  if (real === ours) return true;
  if (!at.includes('[]')) return false;
  const [left, right] = [real, ours].map((types) =>
    types.split('|').filter((type) => type !== 'null' && type !== 'empty text'),
  );
  if (!left?.length || !right?.length) return true;
  return left.some((type) => right.includes(type));
}

function isBothLists(real: Shape, ours: Shape, at: string): boolean {
  const isList = (shape: Shape) => shape === 'empty list' || (typeof shape !== 'string' && '[]' in shape);
  return at.includes('[]') && isList(real) && isList(ours);
}

function worded(shape: Shape | undefined): string {
  return shape === undefined ? 'absent' : typeof shape === 'string' ? shape : JSON.stringify(shape);
}

/** Which differences are new, and which known ones are gone. Both must be empty. */
export function weigh(differences: readonly Difference[], known: readonly KnownDifference[]) {
  const isEqual = (one: Difference, other: Difference) =>
    one.command === other.command &&
    one.at === other.at &&
    one.expected === other.expected &&
    one.found === other.found;
  return {
    fresh: differences.filter((difference) => !known.some((entry) => isEqual(entry, difference))),
    gone: known.filter((entry) => !differences.some((difference) => isEqual(entry, difference))),
  };
}
