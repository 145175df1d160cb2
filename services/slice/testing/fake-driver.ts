// A driver of a cloud in memory, behind real gRPC on loopback: what the tests of the slice service talk to. Its answers
// can be held back and made to fail, and it keeps count of what was asked.

import type { Identity } from '#common/caller.ts';
import { Failure, throwIfAborted } from '#common/errors.ts';
import { silentLog } from '#common/log.ts';
import { createMetrics } from '#common/metrics.ts';
import { service, startRpcServer } from '#common/rpc-server.ts';
import { wait } from '#common/time.ts';
import {
  type ConvergeEvent,
  type ConvergeRequest,
  ConvergeResult,
  type DriverServiceServer,
  DriverServiceService,
  Outcome,
  PlanResponse,
  type Violation,
} from '#proto/pucp/driver/v1/driver_service.ts';
import { Power, Resource, ResourceState } from '#proto/pucp/driver/v1/resource.ts';
import { SliceStep, StepPhase } from '#proto/pucp/slice/v1/history.ts';
import { Infrastructure } from '#proto/pucp/slice/v1/slice.ts';

import { fakePlan } from './fake-plan.ts';

export type FakeDriver = Awaited<ReturnType<typeof startFakeDriver>>;

/** What a converge is to end with instead of its result. */
export type Fault =
  | { readonly result: Partial<ConvergeResult> }
  | { readonly error: Failure }
  | { readonly silent: true };

const FLAVORS: Readonly<Record<string, { vcpus: number; ram: number; disk: number }>> = {
  small: { vcpus: 1, ram: 1536, disk: 10 },
  large: { vcpus: 4, ram: 6144, disk: 40 },
};
const IMAGES = ['ubuntu-20.04'];

export async function startFakeDriver({ identity, port = 0 }: { identity: Identity; port?: number }) {
  /** By slice, by `kind name`. */
  const world = new Map<string, Map<string, Resource>>();
  const fences = new Map<string, number>();
  const running = new Map<string, AbortController>();
  const calls: (ConvergeRequest & { actor: string | undefined; userId: string; requestId: string })[] = [];
  /** The slice of each plan that was asked for to look for drift. */
  const looks: string[] = [];
  const faults: Fault[] = [];
  /** The project's quotas; unlimited where there is none. */
  const limits = new Map<string, number>();
  let gate: Promise<void> | undefined;
  let open: (() => void) | undefined;
  let overlaps = 0;

  async function* converge(request: ConvergeRequest, signal: AbortSignal): AsyncGenerator<ConvergeEvent> {
    const id = request.scope?.sliceId ?? '';
    const held = world.get(id) ?? new Map<string, Resource>();
    world.set(id, held);
    const desired = new Map(request.desired.map((resource) => [keyOf(resource), resource]));
    const steps = [
      ...[...held.values()].filter((resource) => !desired.has(keyOf(resource))).reverse(),
      ...request.desired.filter((resource) => !isEqual(resource, held.get(keyOf(resource)))),
    ];
    for (const [index, step] of steps.entries()) {
      while (gate) await Promise.race([gate, wait(20, signal)]);
      throwIfAborted(signal);
      const percent = Math.round(((index + 1) / (steps.length + 1)) * 100);
      const isWanted = desired.has(keyOf(step));
      const before = isWanted ? ResourceState.CREATING : ResourceState.DELETING;
      yield told({ ...step, state: before }, percent);
      if (isWanted) held.set(keyOf(step), made(step, index));
      else held.delete(keyOf(step));
      const after = held.get(keyOf(step)) ?? { ...step, state: ResourceState.DELETED };
      yield told(after, percent);
    }
    const fault = faults.shift();
    if (fault && 'error' in fault) throw fault.error;
    if (fault && 'silent' in fault) return;
    if (fault?.result.outcome === Outcome.ROLLED_BACK) held.clear();
    const observed = [...held.values()];
    const result = ConvergeResult.fromPartial({
      outcome: Outcome.CONVERGED,
      projectId: 'project-1',
      observed,
    });
    yield { percent: 100, message: '', event: { $case: 'result', value: { ...result, ...fault?.result } } };
  }

  const server = await startRpcServer({
    name: 'driver',
    host: '127.0.0.1',
    port,
    identity,
    log: silentLog,
    metrics: createMetrics('driver'),
    health: async () => ({ ready: true }),
    services: [
      service<DriverServiceServer>(DriverServiceService, {
        validate: async ({ desired }) => judge(desired),
        async plan({ scope, desired, stepsOnly }, { signal }) {
          const judged = judge(desired);
          if (stepsOnly) {
            looks.push(scope?.sliceId ?? '');
            while (gate) await Promise.race([gate, wait(20, signal)]);
          } else if (judged.violations.length > 0) return PlanResponse.fromPartial(judged);
          const held = [...(world.get(scope?.sliceId ?? '')?.values() ?? [])];
          const all = [...world.values()].flatMap((one) => [...one.values()]);
          const planned = fakePlan({ desired, held, all, limits, flavors: FLAVORS });
          return { ...judged, ...planned, projectId: 'project-1' };
        },
        async *converge(request, { signal, caller, requestId }) {
          const id = request.scope?.sliceId ?? '';
          if (request.fence <= (fences.get(id) ?? 0)) {
            throw new Failure({ code: 'ABORTED', reason: 'FENCED', message: 'a later worker has come' });
          }
          fences.set(id, request.fence);
          calls.push({ ...request, actor: caller.actor, userId: caller.userId, requestId });
          if (running.has(id)) overlaps += 1;
          running.get(id)?.abort();
          const own = new AbortController();
          running.set(id, own);
          try {
            yield* converge(request, AbortSignal.any([signal, own.signal]));
          } finally {
            if (running.get(id) === own) running.delete(id);
          }
        },
        async observe({ scope, fence }) {
          const id = scope?.sliceId ?? '';
          if (fence !== undefined) {
            fences.set(id, fence);
            running.get(id)?.abort();
          }
          return { observed: [...(world.get(id)?.values() ?? [])], projectId: 'project-1' };
        },
        // One line for each resource that was wished for, whatever came of it.
        async listJournal({ scope, pageSize, pageToken, newestFirst }) {
          const first = calls.find((call) => call.scope?.sliceId === scope?.sliceId);
          const lines = (first?.desired ?? []).map((resource, index) =>
            SliceStep.fromPartial({
              id: String(index + 1),
              step: `create ${keyOf(resource).replace(' ', '/')}`,
              phase: StepPhase.DONE,
            }),
          );
          const ordered = newestFirst ? lines.reverse() : lines;
          const from = ordered.findIndex(({ id }) => id === pageToken) + 1;
          const steps = ordered.slice(from, from + pageSize);
          const isLast = from + pageSize >= ordered.length;
          return { steps, nextPageToken: isLast ? '' : (steps.at(-1)?.id ?? '') };
        },
        getCapacity: async () => ({
          hosts: [
            {
              hostname: 'worker1',
              infrastructure: Infrastructure.OPENSTACK,
              zoneName: 'nova',
              status: 'up',
              totalVcpus: 12,
              totalRam: 24_576,
              totalDisk: 150,
              usedVcpus: 3,
              usedRam: 0,
              usedDisk: 0,
              availableVcpus: 9,
              availableRam: 24_576,
              availableDisk: 150,
            },
          ],
          zones: [{ name: 'nova', infrastructure: Infrastructure.OPENSTACK, isActive: true }],
          flavors: FLAVORS,
        }),
      }),
    ],
  });

  return {
    port: server.port,
    url: `http://127.0.0.1:${server.port}`,
    /** Every converge that was let in, in order. */
    calls,
    /** How often a converge began while another for the same slice ran. */
    overlaps: () => overlaps,
    /** What the cloud holds of a slice, as `kind name`. */
    holds: (id: string) => [...(world.get(id)?.keys() ?? [])].sort(),
    /** The power of a slice's server. */
    power(id: string, name: string): Power | undefined {
      const server = world.get(id)?.get(`server ${name}`)?.kind;
      return server?.$case === 'server' ? server.value.spec?.power : undefined;
    },
    /** The project that all slices lie in may have so much. */
    limit: (name: string, most: number) => limits.set(name, most),
    isBusy: (id: string) => running.has(id),
    /** The next converges end so, one each. */
    failNext: (...next: Fault[]) => faults.push(...next),
    /** How often somebody looked for drift in a slice. */
    looks: (id: string) => looks.filter((one) => one === id).length,
    /** Takes something away behind everybody's back, as `kind name`; what comes back puts it there again. */
    lose(id: string, key: string) {
      const held = world.get(id);
      const resource = held?.get(key);
      if (!held || !resource) throw new Error(`there is no ${key}`);
      held.delete(key);
      return () => held.set(key, resource);
    },
    /** No converge takes another step, and no look for drift ends, until the release. */
    hold() {
      gate = new Promise((done) => {
        open = done;
      });
    },
    release() {
      gate = undefined;
      open?.();
    },
    close: server.close,
  };
}

/** What is wrong with a wish, and what it takes. */
function judge(desired: readonly Resource[]) {
  const violations: Violation[] = [];
  const totals = { totalVcpus: 0, totalRam: 0, totalDisk: 0 };
  for (const { name, kind } of desired) {
    if (kind?.$case !== 'server' || !kind.value.spec) continue;
    const { image, flavor } = kind.value.spec;
    const wrong = (field: string, message: string) =>
      violations.push({ resourceKind: 'server', resourceName: name, field, message });
    if (image !== '' && !IMAGES.includes(image)) wrong('image', `there is no image "${image}"`);
    const size = FLAVORS[flavor];
    if (flavor !== '' && !size) wrong('flavor', `there is no flavor "${flavor}"`);
    totals.totalVcpus += size?.vcpus ?? 0;
    totals.totalRam += size?.ram ?? 0;
    totals.totalDisk += size?.disk ?? 0;
  }
  return { violations, totals };
}

function told(resource: Resource, percent: number): ConvergeEvent {
  return { percent, message: '', event: { $case: 'resource', value: resource } };
}

function keyOf(resource: Resource): string {
  return `${resource.kind?.$case} ${resource.name}`;
}

function isEqual(wished: Resource, held: Resource | undefined): boolean {
  return JSON.stringify(wished.kind?.value.spec) === JSON.stringify(held?.kind?.value.spec);
}

function made(wished: Resource, index: number): Resource {
  const resource = Resource.decode(Resource.encode(wished).finish());
  const { kind } = resource;
  if (kind?.$case === 'port') {
    const ipAddress = kind.value.spec?.ipAddress || `192.168.100.${10 + index}`;
    kind.value.status = { ipAddress, macAddress: `fa:16:3e:00:00:${10 + index}` };
  }
  if (kind?.$case === 'server') {
    const status = kind.value.spec?.power === Power.OFF ? 'shutoff' : 'active';
    kind.value.status = { status, host: 'worker1', replacements: 0 };
  }
  return { ...resource, cloudId: `id-of-${keyOf(wished).replace(' ', '-')}`, state: ResourceState.READY };
}
