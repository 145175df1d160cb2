// What Nova and Glance take as metadata, told before they are asked.

import type { FieldViolation } from '#common/errors.ts';

type Metadata = Readonly<Record<string, string>>;

/** At most `most` entries, with keys and values as Nova's api-ref has them for servers and images alike. */
export function* checkMetadata(metadata: Metadata, most: number): Generator<FieldViolation> {
  const entries = Object.entries(metadata);
  if (entries.length > most) {
    yield { field: 'metadata', message: `must have at most ${most} entries` };
  }
  const wrong = entries.find(([key, value]) => !isKey(key) || value.length > 255);
  if (wrong) {
    const rule = 'keys must have 1 to 255 letters, digits, spaces and _ : . -, values at most 255 characters';
    yield { field: 'metadata', message: `"${wrong[0].slice(0, 100)}" cannot be kept: ${rule}` };
  }
}

export function isKey(text: string): boolean {
  return /^[\w :.-]{1,255}$/.test(text);
}
