// The rpcs of SliceService: who may see which slice, what the request means, and the answer's shape. What a change does
// lies in intents.ts, what is checked before in admission.ts, and the work itself in reconciler.ts.

import type { Caller } from '#common/caller.ts';
import { Failure, invalid, notFound } from '#common/errors.ts';
import { pageOf } from '#common/page.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import { withLinks } from '#engine/spec/attach.ts';
import type { SpecLimits } from '#engine/spec/check.ts';
import { expandTopology, topologyTypes } from '#engine/spec/topologies/expand.ts';
import { ResourceTotals, SliceSpec, SliceState } from '#proto/pucp/slice/v1/slice.ts';
import type { SliceChange, SliceServiceServer } from '#proto/pucp/slice/v1/slice_service.ts';
import { abandonSlice } from './abandon.ts';
import { admit, examine, examineStored, type UserLimits } from './admission.ts';
import { listAuditEntries } from './audit.ts';
import type { AuditStore } from './audit-store.ts';
import { intendRunning, isUnmade } from './deployment.ts';
import type { DriftChecker } from './drift-checker.ts';
import type { Drivers } from './drivers.ts';
import { listSliceEvents, listSliceSteps } from './history.ts';
import type { HistoryStore, Snapshot } from './history-store.ts';
import { deploy, onFailureOf, remove, restart, start, stop } from './intents.ts';
import { type Lifetime, type LifetimeLimits, lifetimeOf, renewalOf, reschedulingOf } from './lifetime.ts';
import type { LifetimeStore } from './lifetime-store.ts';
import type { Notifications } from './notifications.ts';
import { checkedView, planView } from './plan.ts';
import { restartNode, startNode, stopNode } from './power-intents.ts';
import type { Queue } from './queue.ts';
import { repairSlice } from './repair.ts';
import { admitPlan, type Reservations, withReserved } from './reservations.ts';
import { resourceViews } from './resource-views.ts';
import { collectResources } from './resources.ts';
import type { SliceRow } from './rows.ts';
import { isIdle, statusView } from './status-line.ts';
import type { Intended, Intent, Store, Usage } from './store.ts';
import { withTopology } from './topology.ts';
import { checkUpdate, storeUpdate } from './update.ts';
import { changeView, nodeViews, sliceView } from './view.ts';
import { watchEvents } from './watch.ts';

export type HandlerOptions = {
  readonly store: Store;
  readonly queue: Pick<Queue, 'ahead'>;
  readonly history: HistoryStore;
  readonly audit: AuditStore;
  readonly checker: DriftChecker;
  readonly drivers: Drivers;
  readonly reservations: Reservations;
  readonly notifications: Notifications;
  readonly specLimits: SpecLimits;
  readonly userLimits: UserLimits;
  readonly lifetimes: LifetimeStore;
  readonly lifetimeLimits: LifetimeLimits;
  readonly newId: () => string;
  readonly now: () => number;
  /** Fires when the process ends: watchers are let go. */
  readonly closing: AbortSignal;
};

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function sliceHandlers(options: HandlerOptions): Handlers<SliceServiceServer> {
  const { store, history, now, audit, drivers, notifications, specLimits, userLimits, newId, closing } =
    options;
  const { lifetimes, lifetimeLimits, reservations, checker, queue } = options;

  const find = async (id: string, caller: Caller): Promise<SliceRow> => {
    const row = UUID.test(id) ? await store.get(id) : undefined;
    if (!row || !isVisible(row, caller)) throw notFound('slice', id);
    return row;
  };
  const findLive = async (id: string, caller: Caller): Promise<SliceRow> => {
    const row = await find(id, caller);
    if (row.deleted_at !== null) throw notFound('slice', id);
    return row;
  };
  const snapshotOf = async (id: string): Promise<Snapshot> => {
    const snapshot = await history.snapshot(id);
    if (!snapshot) throw notFound('slice', id);
    return snapshot;
  };
  const resourcesOf = async (row: SliceRow) => (await store.resources([row.id])).get(row.id) ?? [];

  const changed = (
    id: string,
    { log }: Context,
    { done, nothing }: { done: Intended | undefined; nothing: string },
  ): SliceChange => {
    if (!done) throw notFound('slice', id);
    if (done.intent) log.info({ slice_id: id, goal: done.intent.goal }, 'goal set');
    return changeView(done.row, done.intent?.message ?? nothing);
  };
  const change = async (
    id: string,
    context: Context,
    { decide, nothing }: { decide: (row: SliceRow) => Intent | undefined; nothing: string },
  ): Promise<SliceChange> => {
    await findLive(id, context.caller);
    return changed(id, context, { done: await store.intend(id, context.requestId, decide), nothing });
  };

  return {
    async listSlices({ status, ...page }, { caller }) {
      const { from: before, limit } = pageOf(page);
      const rows = await store.list({
        userId: caller.role === 'admin' ? undefined : caller.userId,
        status: status === SliceState.UNSPECIFIED ? undefined : status,
        before,
        limit: limit + 1,
      });
      const shown = rows.slice(0, limit);
      const resources = await store.resources(shown.map((row) => row.id));
      return {
        slices: shown.map((row) => sliceView(row, resources.get(row.id) ?? [])),
        nextPageToken: rows.length > limit ? (shown.at(-1)?.position ?? '') : '',
      };
    },

    async createSlice(
      { deploy: isDeployed = true, validateOnly: isOnlyChecked, topology, ...fields },
      { caller, requestId, signal, log },
    ) {
      const { userId, username, role } = caller;
      const rules = { now: now(), role, limits: lifetimeLimits };
      const lifetime = lifetimeOf({ ...fields, deploy: isDeployed }, rules);
      const expansion = expandTopology(SliceSpec.fromPartial(fields), topology);
      const spec = withLinks(expansion.spec);
      const sliceId = newId();
      const limits = { drivers, limits: specLimits };
      const outlook = await reservations.look();
      const examining = examine(spec, { sliceId, caller, requestId, signal }, limits);
      const plan = await withTopology(expansion, examining);
      const totals = plan.totals ?? ResourceTotals.create();
      const goal = isDeployed && !lifetime.startAt ? 'running' : 'none';
      const message = creationMessage(goal, lifetime);
      const onFailure = onFailureOf({ deployed_spec: null }, fields.onFailure);
      const owner = { userId, username, role };
      const slice = {
        id: sliceId,
        ...owner,
        spec,
        totals,
        goal,
        onFailure,
        requestId,
        message,
        lifetime,
      } as const;
      const admitUser = (usage: Usage) => admit(totals, usage, userLimits);
      if (isOnlyChecked) {
        admitUser(await store.usage(userId));
        const asking = { sliceId, userId, promises: outlook.promises };
        // A draft takes no room yet.
        return checkedView(spec, goal === 'none' ? withReserved(plan, asking) : admitPlan(plan, asking));
      }
      const row = await store.create(slice, admitUser, reservations.hold(plan, outlook));
      log.info({ slice_id: row.id, goal }, 'slice created');
      return changeView(row, message);
    },

    async getSlice({ id }, { caller }) {
      const row = await findLive(id, caller);
      return sliceView(row, await resourcesOf(row));
    },

    async updateSlice(request, context) {
      const { requestId, log } = context;
      const row = await findLive(request.id, context.caller);
      drivers.of(row.spec.infrastructure);
      const rules = { now: now(), role: context.caller.role, limits: lifetimeLimits };
      reschedulingOf(row, request, rules);
      const outlook = await reservations.look();
      const change = await checkUpdate(row, request, context, { drivers, specLimits });
      if (request.validateOnly) {
        const asking = { sliceId: row.id, userId: row.user_id, promises: outlook.promises };
        const plan = isUnmade(row) ? withReserved(change.plan, asking) : admitPlan(change.plan, asking);
        return { ...checkedView(change.spec, plan), id: row.id, sliceId: row.id };
      }
      const reserve = reservations.hold(change.plan, outlook);
      const done = await storeUpdate(row, { change, request, requestId }, { store, userLimits, reserve });
      if (!done) throw notFound('slice', request.id);
      if (done.intent) log.info({ slice_id: row.id, goal: done.intent.goal }, 'slice changed');
      const moved = await lifetimes.change(row.id, requestId, (one) => reschedulingOf(one, request, rules));
      const said = moved?.message ?? 'Nothing to do: the slice has this spec already';
      return changeView(moved?.row ?? done.row, done.intent?.message ?? said);
    },

    async getSliceSpec({ id }, { caller }) {
      return (await findLive(id, caller)).spec;
    },

    async deleteSlice({ id }, context) {
      const row = await find(id, context.caller);
      if (row.status === SliceState.ABANDONED) throw notFound('slice', id);
      if (row.deleted_at !== null) return changeView(row, 'Slice deleted successfully');
      return change(id, context, { decide: remove, nothing: 'The slice is being deleted already' });
    },

    async planSlice({ id }, context) {
      const row = await findLive(id, context.caller);
      // What cannot be deployed has no plan.
      deploy(row);
      const outlook = await reservations.look();
      const plan = await examineStored(row, context, drivers);
      const { promises } = outlook;
      return planView(withReserved(plan, { sliceId: row.id, userId: row.user_id, promises }));
    },

    async deploySlice({ id, onFailure, planDigest }, context) {
      const row = await findLive(id, context.caller);
      drivers.of(row.spec.infrastructure);
      const deciding = { decide: (current: SliceRow) => deploy(current, onFailure), planDigest };
      const done = await intendRunning(row, deciding, context, { store, reservations, drivers });
      return changed(id, context, {
        done,
        nothing: `Nothing to do: the slice is ${wordOf(row.status)} already`,
      });
    },

    stopSlice: ({ id }, context) =>
      change(id, context, {
        decide: stop,
        nothing: 'Nothing to do: the servers are off or on their way there',
      }),

    async startSlice({ id }, context) {
      const row = await findLive(id, context.caller);
      const done = await intendRunning(row, { decide: start }, context, { store, reservations, drivers });
      const nothing = 'Nothing to do: the servers run or are on their way there';
      return changed(id, context, { done, nothing });
    },

    restartSlice: ({ id }, context) =>
      change(id, context, {
        decide: restart,
        nothing: 'Nothing to do: the servers are being restarted already',
      }),

    stopNode: ({ id, node }, context) =>
      change(id, context, {
        decide: (row) => stopNode(row, node),
        nothing: `Nothing to do: the server ${node} is off or on its way there`,
      }),

    startNode: ({ id, node }, context) =>
      change(id, context, {
        decide: (row) => startNode(row, node),
        nothing: `Nothing to do: the server ${node} runs or is on its way there`,
      }),

    restartNode: ({ id, node }, context) =>
      change(id, context, {
        decide: (row) => restartNode(row, node),
        nothing: `Nothing to do: the server ${node} is being restarted already`,
      }),

    async renewSlice(request, { caller, requestId, log }) {
      await findLive(request.id, caller);
      const rules = { now: now(), role: caller.role, limits: lifetimeLimits };
      const done = await lifetimes.change(request.id, requestId, (one) => renewalOf(one, request, rules));
      if (!done) throw notFound('slice', request.id);
      const { row } = done;
      log.info({ slice_id: row.id, expires_at: row.expires_at }, 'slice renewed');
      return sliceView(row, await resourcesOf(row));
    },

    async listNodes({ id }, { caller }) {
      const row = await findLive(id, caller);
      return { nodes: nodeViews(row, await resourcesOf(row)) };
    },

    async getSliceStatus({ id }, { caller }) {
      await findLive(id, caller);
      const snapshot = await snapshotOf(id);
      return statusView(snapshot, now(), isIdle(snapshot) ? await queue.ahead(id) : undefined);
    },

    async *watchSlice({ id, after, follow = true }, context) {
      const row = await find(id, context.caller);
      if (after !== undefined && after < 0)
        throw invalid([{ field: 'after', message: 'must not be negative' }]);
      const signal = AbortSignal.any([context.signal, closing]);
      const isOver = row.deleted_at !== null;
      yield* watchEvents({ id, after, follow, isOver, signal }, { store, notifications, history, now });
      if (closing.aborted && !context.signal.aborted) throw shuttingDown();
    },

    listSliceEvents: async (request, { caller }) =>
      listSliceEvents(await find(request.id, caller), request, history),

    listSliceSteps: async (request, context) =>
      listSliceSteps(await find(request.id, context.caller), request, { drivers, context }),

    async listSliceResources({ id }, { caller }) {
      await findLive(id, caller);
      return { resources: resourceViews(await snapshotOf(id)) };
    },

    async checkSlice({ id }, { caller, signal }) {
      await findLive(id, caller);
      return checker.check(id, signal);
    },

    async repairSlice({ id }, context) {
      return repairSlice(await findLive(id, context.caller), context, options);
    },

    async abandonSlice(request, context) {
      await findLive(request.id, context.caller);
      return abandonSlice(request, context, { audit, drivers });
    },

    listAuditEntries: (request) => listAuditEntries(request, audit),

    listTopologies: async () => ({ topologies: topologyTypes() }),

    getResources: (request, { caller, requestId, signal }) =>
      collectResources(request, drivers, { caller, requestId, signal }),
  };
}

function creationMessage(goal: 'running' | 'none', { startAt }: Lifetime): string {
  if (goal === 'running') return 'Slice created; deployment has started';
  return startAt
    ? `Slice created; it will be deployed at ${startAt.toISOString()}`
    : 'Slice created as a draft';
}

function isVisible(row: SliceRow, caller: Caller): boolean {
  return caller.role === 'admin' || row.user_id === caller.userId;
}

function wordOf(status: SliceState): string {
  return status.replace('SLICE_STATE_', '').toLowerCase();
}

// A watcher must not take the end of a process for the end of the history.
function shuttingDown(): Failure {
  return new Failure({
    code: 'UNAVAILABLE',
    reason: 'SHUTTING_DOWN',
    message: 'The service is being restarted: watch again after the last event you have',
    retryAfterS: 1,
  });
}
