// The rpcs of SliceService: who may see which slice, what the request means, and the answer's shape. What a change does
// lies in intents.ts, what is checked before in admission.ts, and the work itself in reconciler.ts.

import type { Caller } from '#common/caller.ts';
import { Failure, invalid, notFound } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import type { SpecLimits } from '#engine/spec/check.ts';
import { expandTopology, topologyTypes } from '#engine/spec/topologies/expand.ts';
import { ResourceTotals, SliceSpec, SliceState } from '#proto/pucp/slice/v1/slice.ts';
import type { SliceChange, SliceServiceServer } from '#proto/pucp/slice/v1/slice_service.ts';
import { abandonSlice } from './abandon.ts';
import { admit, examine, examineStored, type UserLimits } from './admission.ts';
import { listAuditEntries } from './audit.ts';
import type { AuditStore } from './audit-store.ts';
import type { Drivers } from './drivers.ts';
import { deploy, remove, restart, start, stop } from './intents.ts';
import type { Notifications } from './notifications.ts';
import { pageOf } from './page.ts';
import { checkedView, planView } from './plan.ts';
import { collectResources } from './resources.ts';
import type { SliceRow } from './rows.ts';
import type { Intent, Store, Usage } from './store.ts';
import { withTopology } from './topology.ts';
import { changeView, nodeViews, sliceView, statusView } from './view.ts';
import { watchEvents } from './watch.ts';

export type HandlerOptions = {
  readonly store: Store;
  readonly audit: AuditStore;
  readonly drivers: Drivers;
  readonly notifications: Notifications;
  readonly specLimits: SpecLimits;
  readonly userLimits: UserLimits;
  readonly newId: () => string;
  /** Fires when the process ends: watchers are let go. */
  readonly closing: AbortSignal;
};

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function sliceHandlers(options: HandlerOptions): Handlers<SliceServiceServer> {
  const { store, audit, drivers, notifications, specLimits, userLimits, newId, closing } = options;

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
  const resourcesOf = async (row: SliceRow) => (await store.resources([row.id])).get(row.id) ?? [];

  const change = async (
    id: string,
    { caller, requestId, log }: Context,
    { decide, nothing }: { decide: (row: SliceRow) => Intent | undefined; nothing: string },
  ): Promise<SliceChange> => {
    await findLive(id, caller);
    const done = await store.intend(id, requestId, decide);
    if (!done) throw notFound('slice', id);
    if (done.intent) log.info({ slice_id: id, goal: done.intent.goal }, 'goal set');
    return changeView(done.row, done.intent?.message ?? nothing);
  };

  return {
    async listSlices({ status, ...page }, { caller }) {
      const { before, limit } = pageOf(page);
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
      const expansion = expandTopology(SliceSpec.fromPartial(fields), topology);
      const { spec } = expansion;
      const sliceId = newId();
      const limits = { drivers, limits: specLimits };
      const examining = examine(spec, { sliceId, caller, requestId, signal }, limits);
      const plan = await withTopology(expansion, examining);
      const totals = plan.totals ?? ResourceTotals.create();
      const message = isDeployed ? 'Slice created; deployment has started' : 'Slice created as a draft';
      const { userId, username, role } = caller;
      const goal = isDeployed ? 'running' : 'none';
      const slice = { id: sliceId, userId, username, role, spec, totals, goal, requestId, message } as const;
      const admitUser = (usage: Usage) => admit(totals, usage, userLimits);
      if (isOnlyChecked) {
        admitUser(await store.usage(userId));
        return checkedView(spec, plan);
      }
      const row = await store.create(slice, admitUser);
      log.info({ slice_id: row.id, goal }, 'slice created');
      return changeView(row, message);
    },

    async getSlice({ id }, { caller }) {
      const row = await findLive(id, caller);
      return sliceView(row, await resourcesOf(row));
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
      return planView(await examineStored(row, context, drivers));
    },

    async deploySlice({ id }, context) {
      const row = await findLive(id, context.caller);
      drivers.of(row.spec.infrastructure);
      const nothing = `Nothing to do: the slice is ${wordOf(row.status)} already`;
      return change(id, context, { decide: deploy, nothing });
    },

    stopSlice: ({ id }, context) =>
      change(id, context, {
        decide: stop,
        nothing: 'Nothing to do: the servers are off or on their way there',
      }),

    startSlice: ({ id }, context) =>
      change(id, context, {
        decide: start,
        nothing: 'Nothing to do: the servers run or are on their way there',
      }),

    restartSlice: ({ id }, context) =>
      change(id, context, {
        decide: restart,
        nothing: 'Nothing to do: the servers are being restarted already',
      }),

    async listNodes({ id }, { caller }) {
      const row = await findLive(id, caller);
      return { nodes: nodeViews(row, await resourcesOf(row)) };
    },

    async getSliceStatus({ id }, { caller }) {
      const row = await findLive(id, caller);
      return statusView(row, await resourcesOf(row));
    },

    async *watchSlice({ id, after, follow = true }, context) {
      await find(id, context.caller);
      if (after < 0) throw invalid([{ field: 'after', message: 'must not be negative' }]);
      const signal = AbortSignal.any([context.signal, closing]);
      yield* watchEvents({ id, after, follow, signal }, { store, notifications });
      if (closing.aborted && !context.signal.aborted) throw shuttingDown();
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
