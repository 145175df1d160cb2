// The types of google.protobuf that JSON writes in a form of their own, after the proto3 JSON mapping
// (https://protobuf.dev/programming-guides/json/). Those not listed here are refused when the gateway starts.

import type { Message } from './schema.ts';

export type WellKnown = {
  /** What a reader is told to give. */
  readonly expected: string;
  /** The message, or undefined if the value is not of the form. */
  readonly read: (value: unknown) => Message | undefined;
  readonly write: (message: Message) => string;
  /** As JSON Schema. */
  readonly schema: Readonly<Record<string, unknown>>;
};

const TIME = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/;
const DURATION = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/;

/** By full name, with the leading dot of protobufjs. */
export const WELL_KNOWN: ReadonlyMap<string, WellKnown> = new Map([
  [
    '.google.protobuf.Timestamp',
    {
      expected: 'a time such as 2026-01-31T12:00:00Z (RFC 3339)',
      read: readTimestamp,
      write: writeTimestamp,
      schema: { type: 'string', format: 'date-time' },
    },
  ],
  [
    '.google.protobuf.Duration',
    {
      expected: 'a duration in seconds such as 1.5s',
      read: readDuration,
      write: writeDuration,
      schema: { type: 'string', pattern: '^-?[0-9]+(\\.[0-9]{1,9})?s$' },
    },
  ],
]);

function readTimestamp(value: unknown): Message | undefined {
  const found = typeof value === 'string' ? TIME.exec(value) : null;
  if (!found) return undefined;
  const [, year, month, day, hours, minutes, seconds, fraction = '', zone = 'Z'] = found;
  const text = `${year}-${month}-${day}T${hours}:${minutes}:${seconds}${zone.toUpperCase()}`;
  const ms = Date.parse(text);
  // Date.parse takes the 30th of February for a day in March.
  const isRealDay = new Date(`${year}-${month}-${day}T00:00:00Z`).getUTCDate() === Number(day);
  if (Number.isNaN(ms) || !isRealDay) return undefined;
  return { seconds: Math.floor(ms / 1000), nanos: Number(fraction.padEnd(9, '0')) };
}

function writeTimestamp({ seconds = 0, nanos = 0 }: Message): string {
  const text = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return `${text}${fractionText(Number(nanos))}Z`;
}

function readDuration(value: unknown): Message | undefined {
  const found = typeof value === 'string' ? DURATION.exec(value) : null;
  if (!found) return undefined;
  const sign = found[1] === '-' ? -1 : 1;
  return { seconds: sign * Number(found[2]), nanos: sign * Number((found[3] ?? '').padEnd(9, '0')) };
}

function writeDuration({ seconds = 0, nanos = 0 }: Message): string {
  const isNegative = Number(seconds) < 0 || Number(nanos) < 0;
  return `${isNegative ? '-' : ''}${Math.abs(Number(seconds))}${fractionText(Math.abs(Number(nanos)))}s`;
}

// Three, six or nine digits, or none, as the JSON mapping asks for.
function fractionText(nanos: number): string {
  const digits = String(nanos)
    .padStart(9, '0')
    .replace(/(000)+$/, '');
  return digits === '' ? '' : `.${digits}`;
}
