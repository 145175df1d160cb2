// What the checks of nodes and of networks both need to say about names.

/** By index: the index of an earlier equal name. Upper and lower case are equal; empty names are no names. */
export function duplicates(names: readonly string[]): ReadonlyMap<number, number> {
  const first = new Map<string, number>();
  const repeated = new Map<number, number>();
  for (const [index, name] of names.entries()) {
    const key = name.toLowerCase();
    const earlier = first.get(key);
    if (key === '') continue;
    if (earlier === undefined) first.set(key, index);
    else repeated.set(index, earlier);
  }
  return repeated;
}

const MOST_LISTED = 10;

/** The names that exist, as the end of a sentence. */
export function listed(names: ReadonlySet<string>, what: string): string {
  const known = [...names].filter(Boolean);
  if (known.length === 0) return `the slice has no ${what}`;
  const shown = known.slice(0, MOST_LISTED).join(', ');
  return known.length > MOST_LISTED
    ? `there are ${shown} and ${known.length - MOST_LISTED} more`
    : `there are ${shown}`;
}
