// Removing everything that a project has in the cloud, in rounds: each lists every kind and asks for the removal of all that
// is there. What others still hold on to goes in a later round, so that no order has to be right.

import { Failure } from '#common/errors.ts';
import { wait } from '#common/time.ts';
import type { Cloud } from './api/cloud.ts';
import { absentIsDone } from './api/errors.ts';
import type { CallContext } from './api/settings.ts';
import { optional } from './project-contents.ts';

type Thing = { readonly id: string; readonly name: string; readonly remove: () => Promise<unknown> };
/** What there is of a kind: things that are being removed already have nothing to be done. */
type Kind = { readonly title: string; readonly list: () => Promise<readonly Thing[]> };

/** How long things that something holds on to are waited for. */
const PATIENCE_MS = 300_000;

/** Answers when every kind's list is empty. ABORTED, naming what is left, if that takes more than five minutes. */
export async function emptyProject(cloud: Cloud, projectId: string, context: CallContext): Promise<void> {
  const kinds = kindsOf(cloud, projectId, context);
  const deadline = performance.now() + PATIENCE_MS;
  for (let round = 0; ; round += 1) {
    const found = await Promise.all(kinds.map(async ({ title, list }) => ({ title, things: await list() })));
    const left = found.filter(({ things }) => things.length > 0);
    if (left.length === 0) return;
    let lastRefusal: Failure | undefined;
    for (const { things } of left) {
      for (const refusal of await Promise.all(things.map(tryToRemove))) lastRefusal = refusal ?? lastRefusal;
    }
    if (performance.now() > deadline) throw notEmpty(left, lastRefusal);
    await wait(Math.min(2_000, 100 * 2 ** round), context.signal);
  }
}

/** Why it could not be removed yet; what cannot be removed later either is thrown. */
async function tryToRemove({ remove }: Thing): Promise<Failure | undefined> {
  try {
    await absentIsDone(remove());
    return undefined;
  } catch (error) {
    if (error instanceof Failure && error.code === 'ABORTED') return error;
    throw error;
  }
}

/** In the order in which they hold on to each other, which spares rounds. */
function kindsOf(cloud: Cloud, projectId: string, context: CallContext): readonly Kind[] {
  const { nova, neutron, cinder, glance } = cloud.project('home');
  const here = { allProjects: true, projectId };
  const mine = { project_id: projectId };
  const nothing = async () => undefined;

  return [
    {
      title: 'floating IPs',
      list: async () =>
        (await neutron.floatingIps.list(mine, context)).map(({ id, floating_ip_address: name }) => ({
          id,
          name,
          remove: () => neutron.floatingIps.remove(id, context),
        })),
    },
    {
      title: 'servers',
      list: async () =>
        (await nova.listServers(here, context)).map((server) => ({
          id: server.id,
          name: server.name,
          remove:
            server['OS-EXT-STS:task_state'] === 'deleting'
              ? nothing
              : () => nova.deleteServer(server.id, context),
        })),
    },
    {
      title: 'router interfaces',
      list: async () => {
        const routers = await neutron.routers.list({ ...mine, fields: ['id'] }, context);
        const device_owner = 'network:router_interface';
        const [own, atOwnRouters] = await Promise.all([
          neutron.ports.list({ ...mine, device_owner }, context),
          inHundreds(routers, (ids) => neutron.ports.list({ device_id: ids, device_owner }, context)),
        ]);
        return [...own, ...atOwnRouters].map(({ id, name, device_id }) => ({
          id,
          name,
          remove: () => neutron.removeRouterInterface(device_id, { port_id: id }, context),
        }));
      },
    },
    {
      title: 'routers',
      list: async () =>
        (await neutron.routers.list(mine, context)).map(({ id, name, routes }) => ({
          id,
          name,
          async remove() {
            // An interface that a route leads through stays until the route is gone.
            if (routes.length > 0) await neutron.routers.change(id, { routes: [] }, context);
            await neutron.routers.remove(id, context);
          },
        })),
    },
    {
      title: 'ports',
      list: async () => {
        const ports = await neutron.ports.list(mine, context);
        // Neutron's own, such as DHCP's, go with their network.
        return ports
          .filter(({ device_owner }) => !device_owner.startsWith('network:'))
          .map(({ id, name }) => ({ id, name, remove: () => neutron.ports.remove(id, context) }));
      },
    },
    {
      title: 'subnets',
      list: async () =>
        (await neutron.subnets.list(mine, context)).map(({ id, name }) => ({
          id,
          name,
          remove: () => neutron.subnets.remove(id, context),
        })),
    },
    {
      title: 'networks',
      list: async () =>
        (await neutron.networks.list(mine, context)).map(({ id, name }) => ({
          id,
          name,
          remove: () => neutron.networks.remove(id, context),
        })),
    },
    {
      title: 'snapshots',
      list: async () =>
        ((await optional(cinder.listSnapshots(here, context))) ?? []).map(({ id, name, status }) => ({
          id,
          name: name ?? '',
          remove: status === 'deleting' ? nothing : () => cinder.deleteSnapshot(id, context),
        })),
    },
    {
      title: 'volumes',
      list: async () =>
        ((await optional(cinder.listVolumes(here, context))) ?? []).map(({ id, name, status }) => ({
          id,
          name: name ?? '',
          remove: status === 'deleting' ? nothing : () => cinder.deleteVolume(id, context),
        })),
    },
    {
      title: 'images',
      list: async () => {
        const all = { owner: projectId, visibility: 'all' } as const;
        const shown = await glance.listImages(all, context);
        const hidden = await glance.listImages({ ...all, os_hidden: true }, context);
        return [...shown, ...hidden].map(({ id, name }) => ({
          id,
          name: name ?? '',
          remove: () => glance.deleteImage(id, context),
        }));
      },
    },
    {
      title: 'security groups',
      list: async () => {
        const groups = await neutron.securityGroups.list(mine, context);
        // The default one comes again with every listing as long as the project lives: it goes with the quotas.
        return groups
          .filter(({ name }) => name !== 'default')
          .map(({ id, name }) => ({ id, name, remove: () => neutron.securityGroups.remove(id, context) }));
      },
    },
  ];
}

/** Ids travel in the URL, which is no longer than a hundred of them. */
async function inHundreds<T>(
  things: readonly { readonly id: string }[],
  ask: (ids: readonly string[]) => Promise<readonly T[]>,
): Promise<T[]> {
  const found: T[] = [];
  for (let at = 0; at < things.length; at += 100) {
    found.push(...(await ask(things.slice(at, at + 100).map(({ id }) => id))));
  }
  return found;
}

function notEmpty(
  left: readonly { readonly title: string; readonly things: readonly Thing[] }[],
  cause: Failure | undefined,
): Failure {
  const words = left.map(
    ({ title, things }) => `${title} ${things.map((one) => one.name || one.id).join(', ')}`,
  );
  return new Failure({
    code: 'ABORTED',
    reason: 'PROJECT_NOT_EMPTY',
    message: `The project is not empty yet: ${words.join('; ')}${cause ? ` (${cause.message})` : ''}; try again later`,
    retryable: true,
    cause,
  });
}
