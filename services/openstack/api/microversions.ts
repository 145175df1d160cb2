// Microversions: what a cloud speaks is asked once and remembered, and each feature names the version whose shapes it reads.
// `latest` is never sent: its shapes change under us. https://docs.openstack.org/api-guide/compute/microversions.html

import { Failure } from '#common/errors.ts';
import { type CallContext, SERVICE_TITLES, type ServiceName } from './settings.ts';
import { raceSignal } from './single-flight.ts';

export type Feature = {
  /** For the message when the cloud is too old: `server tags`. */
  readonly name: string;
  /** Sent as it is: requests and answers have the shape of exactly this version. */
  readonly version: string;
  /** The first OpenStack release that has it. */
  readonly release: string;
};

/** Lowest and highest version; undefined if the service does not tell. */
export type VersionRange = { readonly min: string; readonly max: string } | undefined;

/** The headers that ask for the feature's version, or MICROVERSION_UNSUPPORTED if the cloud cannot do it. */
export function versionHeaders(
  service: ServiceName,
  feature: Feature,
  range: VersionRange,
): Record<string, string> {
  if (
    range !== undefined &&
    (compare(feature.version, range.min) < 0 || compare(feature.version, range.max) > 0)
  ) {
    throw new Failure({
      code: 'FAILED_PRECONDITION',
      reason: 'MICROVERSION_UNSUPPORTED',
      message:
        `${feature.name} need${feature.name.endsWith('s') ? '' : 's'} ${SERVICE_TITLES[service]} ${feature.version} ` +
        `(OpenStack ${feature.release}); this cloud speaks ${range.min} to ${range.max}`,
      retryable: false,
      metadata: { service, needed: feature.version, min: range.min, max: range.max },
    });
  }
  if (service === 'cinder') return { 'openstack-api-version': `volume ${feature.version}` };
  return {
    'openstack-api-version': `compute ${feature.version}`,
    // What Nova before 2.27 reads.
    'x-openstack-nova-api-version': feature.version,
  };
}

/** Reads a version document, of one version or of several: Nova's `{version}`, Cinder's `{versions}`. */
export function parseVersions(body: unknown): VersionRange {
  const document = body as { version?: VersionEntry; versions?: VersionEntry[] } | undefined;
  const entries = document?.version === undefined ? (document?.versions ?? []) : [document.version];
  if (!Array.isArray(entries)) return undefined;
  const current = entries.find((one) => one?.status === 'CURRENT') ?? entries[0];
  const { version, min_version: min } = current ?? {};
  return version && min ? { min, max: version } : undefined;
}

type VersionEntry = { status?: string; version?: string; min_version?: string };

export type VersionMemory = (context: CallContext, ask: () => Promise<VersionRange>) => Promise<VersionRange>;

/** An upgraded cloud is noticed without a restart. */
const KNOWN_MS = 3_600_000;
/** A service that would not tell may have been asked in a bad moment. */
const RETRY_MS = 60_000;

/** Remembers what `ask` found for a while. */
export function createVersionMemory(now: () => number = Date.now): VersionMemory {
  let known: { range: VersionRange; untilMs: number } | undefined;
  let flight: Promise<VersionRange> | undefined;
  return async (context, ask) => {
    if (known !== undefined && now() < known.untilMs) return known.range;
    flight ??= ask()
      .then((range) => {
        known = { range, untilMs: now() + (range === undefined ? RETRY_MS : KNOWN_MS) };
        return range;
      })
      .finally(() => {
        flight = undefined;
      });
    return await raceSignal(flight, context.signal);
  };
}

/** Negative if `a` is older than `b`. */
export function compare(a: string, b: string): number {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number);
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number);
  return aMajor - bMajor || aMinor - bMinor;
}
