// How the cloud is, for /health: looked at in the background whenever someone asks and the last look is too old, so that
// asking never waits for a slow cloud.

import type { BreakerState } from '#common/breaker.ts';
import { Failure } from '#common/errors.ts';
import type { Cloud, ServiceHealth } from './api/cloud.ts';
import { SERVICES, type ServiceName } from './api/settings.ts';

export type CloudHealth = {
  readonly reachable: boolean;
  readonly auth_url: string;
  readonly region: string;
  /** Null before the first look has ended. */
  readonly checked_at: string | null;
  /** `ok`, or why not. */
  readonly services: Readonly<Partial<Record<ServiceName, string>>>;
  /** Those that do not do their work; a cloud may be reachable and one of them sick. */
  readonly sick: readonly ServiceName[];
  /** Of the first that is sick. */
  readonly error?: string;
};

export type CloudWatch = {
  /** The last known health; waits a little for the first look, and for one that is due. */
  health(): Promise<{ readonly cloud: CloudHealth; readonly breakers: Record<ServiceName, BreakerState> }>;
  /** Ends a look that is under way. */
  close(): void;
};

export type CloudWatchOptions = {
  readonly cloud: Pick<Cloud, 'ping' | 'breakers'>;
  readonly authUrl: string;
  readonly region: string;
  /** How long a look is good for. */
  readonly freshMs?: number;
  /** How long an answer may wait for a look. */
  readonly patienceMs?: number;
};

/** A look that takes longer says that the cloud is not reachable. */
const LOOK_MS = 4_000;
/** Without these nothing works; a cloud may be without Cinder. */
const NEEDED: readonly ServiceName[] = ['keystone', 'nova', 'neutron', 'glance'];

export function watchCloud(options: CloudWatchOptions): CloudWatch {
  const { cloud, authUrl, region, freshMs = 5_000, patienceMs = 800 } = options;
  const closing = new AbortController();
  let last: readonly ServiceHealth[] = [];
  let checkedAtMs: number | undefined;
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    try {
      last = await cloud.ping(AbortSignal.any([closing.signal, AbortSignal.timeout(LOOK_MS)]));
    } catch (error) {
      // Not the cloud's doing: a probe that throws anything but a Failure is a bug, and says so here.
      last = SERVICES.map((service) => ({ service, ok: false, ms: 0, breaker: 'closed', error: bug(error) }));
    } finally {
      checkedAtMs = Date.now();
      looking = undefined;
    }
  }

  return {
    async health() {
      if (checkedAtMs === undefined || Date.now() - checkedAtMs > freshMs) {
        looking ??= look();
        await Promise.race([looking, patience(patienceMs)]);
      }
      const sick = last.filter(({ ok, error }) => !ok && error?.reason !== 'ENDPOINT_MISSING');
      const reachable = checkedAtMs !== undefined && !sick.some(({ service }) => NEEDED.includes(service));
      const first = sick[0]?.error;
      return {
        cloud: {
          reachable,
          auth_url: authUrl,
          region,
          checked_at: checkedAtMs === undefined ? null : new Date(checkedAtMs).toISOString(),
          services: Object.fromEntries(last.map((one) => [one.service, wordFor(one)])),
          sick: sick.map(({ service }) => service),
          ...(first ? { error: first.message } : {}),
        },
        breakers: cloud.breakers(),
      };
    },
    close: () => closing.abort(),
  };
}

function wordFor({ ok, error }: ServiceHealth): string {
  if (ok) return 'ok';
  return error?.reason === 'ENDPOINT_MISSING' ? 'absent' : (error?.reason.toLowerCase() ?? 'unknown');
}

function patience(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

function bug(cause: unknown): Failure {
  return new Failure({ code: 'INTERNAL', reason: 'PROBE_FAILED', message: 'Internal error', cause });
}
