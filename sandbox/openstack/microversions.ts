// Microversion negotiation, the same in Nova and Cinder: a header names a version or 'latest', none means the least.

import type { IncomingMessage } from 'node:http';
import { Fault, type Negotiated } from './http.ts';

export type VersionRange = {
  /** The word before the number in OpenStack-API-Version. */
  readonly service: string;
  readonly major: number;
  readonly least: number;
  readonly most: number;
  /** An older header that means the same, in lower case. */
  readonly legacyHeader?: string;
};

export function negotiateVersion(headers: IncomingMessage['headers'], range: VersionRange): Negotiated {
  const asked = askedVersion(headers, range) ?? `${range.major}.${range.least}`;
  const text = asked === 'latest' ? `${range.major}.${range.most}` : asked;
  const echo: Record<string, string> = {
    'openstack-api-version': `${range.service} ${text}`,
    vary: 'OpenStack-API-Version',
  };
  if (range.legacyHeader) echo[range.legacyHeader] = text;
  const match = /^(\d+)\.(\d+)$/.exec(text);
  if (!match) {
    const message = `API Version String ${text} is of invalid format. Must be of format MajorNum.MinorNum.`;
    return { minor: range.least, headers: {}, refusal: new Fault(400, message) };
  }
  const minor = Number(match[2]);
  if (Number(match[1]) === range.major && minor >= range.least && minor <= range.most)
    return { minor, headers: echo };
  const limits = `Minimum is ${range.major}.${range.least} and maximum is ${range.major}.${range.most}.`;
  const refusal = new Fault(406, `Version ${text} is not supported by the API. ${limits}`);
  return { minor: range.least, headers: echo, refusal };
}

function askedVersion(headers: IncomingMessage['headers'], range: VersionRange): string | undefined {
  const header = headers['openstack-api-version'];
  for (const part of String(header ?? '').split(',')) {
    const [service, version] = part.trim().split(/\s+/);
    if (service === range.service && version) return version;
  }
  const legacy = range.legacyHeader ? headers[range.legacyHeader] : undefined;
  return typeof legacy === 'string' ? legacy.trim() : undefined;
}
