// POST /servers/{id}/action and the consoles.

import { randomUUID } from 'node:crypto';
import type { Cloud } from '../cloud.ts';
import { type Call, isObject, type Json, ok, type Reply, type Route, route } from '../http.ts';
import { nowSeconds, randomWord } from '../ids.ts';
import { bump } from '../neutron/resource.ts';
import { badRequest, conflict, invalidField, metadataOf, notFound, requirePolicy } from './faults.ts';
import { chooseHost, hostNames } from './hosts.ts';
import { reserveServers } from './quotas.ts';
import type { ServerRow } from './rows.ts';
import { diskConfigOf } from './server-attributes.ts';
import { startDelete, touch } from './server-life.ts';
import { portsOf, showChanged } from './server-view.ts';
import { mustServer, requireUnlocked } from './servers.ts';
import { backUpServer, forgetShelved, keepShelved, snapshotServer } from './snapshots.ts';

/** An action that leads from some states to another, by way of a task. */
type Transition = {
  /** As in "Cannot 'stop' instance". */
  readonly verb: string;
  readonly from: readonly string[];
  readonly task: string;
  readonly to: string;
  readonly power: number;
};

const TRANSITIONS: Readonly<Record<string, Transition>> = {
  'os-start': { verb: 'start', from: ['stopped'], task: 'powering-on', to: 'active', power: 1 },
  'os-stop': { verb: 'stop', from: ['active', 'error'], task: 'powering-off', to: 'stopped', power: 4 },
  pause: { verb: 'pause', from: ['active'], task: 'pausing', to: 'paused', power: 3 },
  unpause: { verb: 'unpause', from: ['paused'], task: 'unpausing', to: 'active', power: 1 },
  suspend: { verb: 'suspend', from: ['active'], task: 'suspending', to: 'suspended', power: 4 },
  resume: { verb: 'resume', from: ['suspended'], task: 'resuming', to: 'active', power: 1 },
  rescue: { verb: 'rescue', from: ['active', 'stopped', 'error'], task: 'rescuing', to: 'rescued', power: 1 },
  unrescue: { verb: 'unrescue', from: ['rescued'], task: 'unrescuing', to: 'active', power: 1 },
  shelve: {
    verb: 'shelve',
    from: ['active', 'stopped', 'paused', 'suspended'],
    task: 'shelving',
    to: 'shelved_offloaded',
    power: 4,
  },
  unshelve: {
    verb: 'unshelve',
    from: ['shelved', 'shelved_offloaded'],
    task: 'unshelving',
    to: 'active',
    power: 1,
  },
};
const SOFT_REBOOT: Transition = {
  verb: 'reboot',
  from: ['active'],
  task: 'rebooting',
  to: 'active',
  power: 1,
};
const HARD_REBOOT: Transition = {
  verb: 'reboot',
  from: ['active', 'stopped', 'paused', 'suspended', 'error'],
  task: 'rebooting_hard',
  to: 'active',
  power: 1,
};
const RESIZE: Transition = {
  verb: 'resize',
  from: ['active', 'stopped'],
  task: 'resize_prep',
  to: 'resized',
  power: 1,
};
const REVERT: Transition = {
  verb: 'revert_resize',
  from: ['resized'],
  task: 'resize_reverting',
  to: 'active',
  power: 1,
};
const REBUILD: Transition = {
  verb: 'rebuild',
  from: ['active', 'stopped', 'error'],
  task: 'rebuilding',
  to: 'active',
  power: 1,
};
const ACTION_SHARE = 0.4;
/** Nova's power_state. */
const SHUT_DOWN = 4;

export function registerActionTasks(cloud: Cloud): void {
  cloud.tasks.on('server action', (id, { to = 'active', power = '1' }) => {
    const row = cloud.servers.get(id);
    if (!row || row.task_state === 'deleting') return;
    if (row.task_state === 'unshelving') forgetShelved(cloud, row);
    const isOffloaded = to === 'shelved_offloaded';
    // An offloaded server comes back to whichever host has room.
    const host = isOffloaded ? '' : row.host || (chooseHost(cloud, row.flavor, '') ?? '');
    const zone = isOffloaded ? '' : 'nova';
    touch(cloud, id, {
      vm_state: to,
      task_state: null,
      power_state: Number(power),
      host,
      availability_zone: zone,
      fault: null,
    });
  });
}

export function actionRoutes(cloud: Cloud): Route[] {
  return [
    route('POST', '/servers/{id}/action', (call) => act(cloud, call)),
    route('POST', '/servers/{id}/remote-consoles', (call) => {
      if (call.minor < 6) throw notFound('The resource could not be found.');
      const input = call.body.remote_console;
      if (!isObject(input)) throw badRequest("'remote_console' is a required property");
      const { protocol, type } = input;
      const types = ['novnc', 'xvpvnc', 'rdp-html5', 'spice-html5', 'serial'];
      if (!types.includes(String(type))) {
        const known = types.map((name) => `'${name}'`).join(', ');
        throw invalidField('type', type, `'${String(type)}' is not one of [${known}]`);
      }
      requireRunning(mustServer(cloud, call));
      return ok({ remote_console: { protocol, type, url: consoleUrl(cloud) } });
    }),
  ];
}

function consoleUrl(cloud: Cloud): string {
  return `${cloud.url}/console/vnc_lite.html?path=%3Ftoken%3D${randomUUID()}`;
}

function requireRunning(row: ServerRow): void {
  if (row.vm_state === 'building' || row.host === '') throw conflict(`Instance ${row.id} is not ready`);
}

function act(cloud: Cloud, call: Call): Reply {
  const names = Object.keys(call.body);
  const [name] = names;
  if (name === undefined || names.length !== 1) throw badRequest('Malformed request body');
  const transition = TRANSITIONS[name];
  const special = SPECIAL[name];
  if (!transition && !special) throw badRequest(`There is no such action: ${name}`);
  const row = cloud.servers.get(call.params.id);
  if (!row || (!call.caller.isAdmin && row.project_id !== call.caller.projectId)) {
    throw notFound(`Instance ${call.params.id} ${row ? 'could not be found.' : 'has no mapping to a cell.'}`);
  }
  const argument = isObject(call.body[name]) ? (call.body[name] as Json) : {};
  if (!special && transition) {
    requireUnlocked(row, call);
    run(cloud, row, transition, { call, name });
    if (name === 'shelve') keepShelved(cloud, row, call);
    return name === 'rescue' ? ok({ adminPass: randomWord(12) }) : { status: 202 };
  }
  return special?.(cloud, row, call, argument) ?? { status: 202 };
}

type Context = { readonly call: Call; readonly name: string };

/** Starts a transition, or throws the 409 that says why it cannot. */
function run(
  cloud: Cloud,
  row: ServerRow,
  transition: Transition,
  { call, name }: Context,
  more: Partial<ServerRow> = {},
) {
  requireState(row, transition.verb, transition.from);
  const entry = {
    action: name.replace(/^os-/, ''),
    request_id: call.requestId,
    user_id: call.caller.userId,
    start_time: nowSeconds(),
  };
  touch(cloud, row.id, { ...more, task_state: transition.task, actions: [...row.actions, entry].slice(-50) });
  const args = { to: transition.to, power: String(transition.power) };
  cloud.tasks.after(cloud.buildDelayMs * ACTION_SHARE, 'server action', row.id, args);
}

/** A server that was down before is down after: Nova brings back the power it found. */
function settling({ vm_state: state, power_state: power }: ServerRow, transition: Transition): Transition {
  const wasDown = power === SHUT_DOWN && state !== 'error';
  return wasDown ? { ...transition, to: 'stopped', power } : transition;
}

function requireState(row: ServerRow, verb: string, from: readonly string[]): void {
  const refuse = (what: string, state: string | null) =>
    conflict(`Cannot '${verb}' instance ${row.id} while it is in ${what} ${state}`);
  if (!from.includes(row.vm_state)) throw refuse('vm_state', row.vm_state);
  if (row.task_state !== null) throw refuse('task_state', row.task_state);
}

type Special = (cloud: Cloud, row: ServerRow, call: Call, argument: Json) => Reply | undefined;

const RESET_RULE = 'os_compute_api:os-admin-actions:reset_state';

const SPECIAL: Readonly<Record<string, Special>> = {
  reboot: (cloud, row, call, { type }) => {
    if (type === undefined) throw invalidField('reboot', {}, "'type' is a required property");
    const kind = String(type).toUpperCase();
    if (kind !== 'SOFT' && kind !== 'HARD')
      throw invalidField(
        'type',
        type,
        `'${String(type)}' is not one of ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft']`,
      );
    requireUnlocked(row, call);
    run(cloud, row, kind === 'HARD' ? HARD_REBOOT : SOFT_REBOOT, { call, name: 'reboot' });
    return undefined;
  },
  resize: (cloud, row, call, { flavorRef }) => {
    const flavor = cloud.flavors.get(String(flavorRef));
    if (!flavor) throw badRequest(`Flavor ${String(flavorRef)} could not be found.`);
    if (flavor.id === row.flavor.id) throw badRequest('When resizing, instances must change flavor!');
    requireUnlocked(row, call);
    requireState(row, RESIZE.verb, RESIZE.from);
    reserveGrowth(cloud, row, flavor.vcpus - row.flavor.vcpus, flavor.ram - row.flavor.ram);
    const resize = { ...RESIZE, power: row.power_state };
    run(cloud, row, resize, { call, name: 'resize' }, { flavor, old_flavor: row.flavor });
    return undefined;
  },
  confirmResize: (cloud, row) => {
    requireState(row, 'confirmResize', ['resized']);
    // Nova leaves the state as it is until the old host has cleaned up.
    touch(cloud, row.id, { old_flavor: null });
    const { to, power } = settling(row, REVERT);
    const args = { to, power: String(power) };
    cloud.tasks.after(cloud.buildDelayMs * ACTION_SHARE, 'server action', row.id, args);
    return { status: 204 };
  },
  revertResize: (cloud, row, call) => {
    requireState(row, 'revertResize', ['resized']);
    const before = { flavor: row.old_flavor ?? row.flavor, old_flavor: null };
    run(cloud, row, settling(row, REVERT), { call, name: 'revertResize' }, before);
    return undefined;
  },
  rebuild: (cloud, row, call, argument) => {
    const { imageRef, name } = argument;
    const image = cloud.images.get(String(imageRef));
    if (!image) throw badRequest('Can not find requested image');
    requireUnlocked(row, call);
    const more = {
      image_id: image.id,
      ...(typeof name === 'string' ? { name } : {}),
      ...(isObject(argument.metadata) ? { metadata: metadataOf(argument.metadata, 'metadata') } : {}),
      ...diskConfigOf(argument),
    };
    run(cloud, row, settling(row, REBUILD), { call, name: 'rebuild' }, more);
    const server = showChanged(cloud, cloud.servers.get(row.id) ?? row, call);
    const added = {
      adminPass: randomWord(12),
      ...(call.minor >= 54 ? { key_name: row.key_name } : {}),
      ...(call.minor >= 57 ? { user_data: row.user_data } : {}),
    };
    return { status: 202, body: { server: { ...server, ...added } } };
  },
  migrate: (cloud, row, call) => {
    requirePolicy(call.caller, 'os_compute_api:os-migrate-server:migrate');
    const others = hostNames(cloud).filter((name) => name !== row.host);
    const host = others.find((name) => chooseHost(cloud, row.flavor, name) !== undefined);
    requireState(row, 'migrate', RESIZE.from);
    if (host === undefined) throw badRequest('No valid host was found. ');
    const migrate = { ...RESIZE, power: row.power_state };
    run(cloud, row, migrate, { call, name: 'migrate' }, { host, old_flavor: row.flavor });
    return undefined;
  },
  lock: (cloud, row, call, { locked_reason: reason }) => {
    const text = call.minor >= 73 && typeof reason === 'string' ? reason : null;
    touch(cloud, row.id, { locked: true, locked_reason: text });
    return undefined;
  },
  unlock: (cloud, row) => {
    touch(cloud, row.id, { locked: false, locked_reason: null });
    return undefined;
  },
  forceDelete: (cloud, row, call) => {
    requireUnlocked(row, call);
    startDelete(cloud, row);
    return undefined;
  },
  'os-resetState': (cloud, row, call, { state }) => {
    requirePolicy(call.caller, RESET_RULE);
    if (state !== 'active' && state !== 'error')
      throw invalidField('state', state, `'${String(state)}' is not one of ['active', 'error']`);
    touch(cloud, row.id, { vm_state: state, task_state: null });
    return undefined;
  },
  createImage: (cloud, row, call, argument) => {
    requireState(row, 'image_snapshot', ['active', 'stopped', 'paused', 'suspended']);
    return snapshotServer(cloud, row, call, argument);
  },
  createBackup: (cloud, row, call, argument) => {
    requireState(row, 'backup', ['active', 'stopped', 'paused', 'suspended']);
    return backUpServer(cloud, row, call, argument);
  },
  restore: (_cloud, row) => {
    requireState(row, 'restore', ['soft-delete']);
    return undefined;
  },
  addSecurityGroup: (cloud, row, call, { name }) => changeGroup(cloud, row, call, String(name), true),
  removeSecurityGroup: (cloud, row, call, { name }) => changeGroup(cloud, row, call, String(name), false),
  'os-getConsoleOutput': (_cloud, row, _call, { length }) => {
    requireRunning(row);
    const lines = [
      `[    0.000000] sandbox console of ${row.id}`,
      ...Array.from(
        { length: 30 },
        (_, index) => `[    0.${String(index + 1).padStart(6, '0')}] nothing runs here`,
      ),
      `hostname: ${row.hostname}`,
      `${row.hostname} login: `,
    ];
    const first = length === undefined || Number(length) < 0 ? 0 : Math.max(0, lines.length - Number(length));
    return ok({ output: lines.slice(first).join('\n') });
  },
  'os-getVNCConsole': (cloud, row, call, { type }) => {
    if (call.minor >= 6) throw notFound('The resource could not be found.');
    requireRunning(row);
    return ok({ console: { type, url: consoleUrl(cloud) } });
  },
};

function reserveGrowth(cloud: Cloud, row: ServerRow, vcpus: number, ram: number): void {
  // The server itself is counted already; only what it grows by is new.
  if (vcpus <= 0 && ram <= 0) return;
  reserveServers(cloud, row.project_id, {
    vcpus: Math.max(0, vcpus),
    ram: Math.max(0, ram),
    least: 1,
    wanted: 1,
    servers: 0,
  });
}

function changeGroup(cloud: Cloud, row: ServerRow, _call: Call, name: string, isAdded: boolean): undefined {
  const group = cloud.groups
    .by('project_id', row.project_id)
    .find(({ id, name: own }) => id === name || own === name);
  if (!group) throw notFound(`Security group ${name} is not found for project ${row.project_id}`);
  for (const port of portsOf(cloud, row)) {
    const has = port.security_groups.includes(group.id);
    if (isAdded && has) {
      throw badRequest(
        `Invalid input for security_groups. Reason: Duplicate items in the list: '${group.id}'.`,
      );
    }
    const rest = port.security_groups.filter((id) => id !== group.id);
    bump(cloud.ports, port, { security_groups: isAdded ? [...rest, group.id] : rest });
  }
  return undefined;
}
