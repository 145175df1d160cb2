// What key pairs are called in the cloud. There they belong to the one user that our credentials stand for, so that each
// bears its owner's mark before its name: users do not see each other's, and two may have the same name.

/** Nova takes letters, digits, spaces, dashes and underscores; the mark has no space, so that the first one ends it. */
export function cloudKeyName(ownerMark: string, name: string): string {
  return `${prefixOf(ownerMark)}${name}`;
}

/** The owner's own word for it; undefined if it is someone else's. */
export function ownKeyName(ownerMark: string, cloudName: string): string | undefined {
  const prefix = prefixOf(ownerMark);
  return cloudName.startsWith(prefix) ? cloudName.slice(prefix.length) : undefined;
}

/** Whoever's it is, without the mark; as it is if it bears none. */
export function shownKeyName(cloudName: string): string {
  return /^[0-9a-f]{8}-[\w-]+ (.+)$/.exec(cloudName)?.[1] ?? cloudName;
}

// A mark is eight digits of the installation, a dot, and the user's id; different ones stay different.
function prefixOf(ownerMark: string): string {
  const plain = ownerMark.replace('.', '-');
  return `${plain.replace(/[^A-Za-z0-9-]/gu, (sign) => `_${sign.codePointAt(0)?.toString(16)}_`)} `;
}
