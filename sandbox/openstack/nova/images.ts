// Nova's old view of Glance's images, which older tools still wait for snapshots with. Gone since 2.36.

import type { Cloud } from '../cloud.ts';
import type { ImageRow } from '../glance/rows.ts';
import { isImageVisible } from '../glance/visibility.ts';
import { type Call, type Json, noContent, ok, type Route, route } from '../http.ts';
import { forbidden, notFound } from './faults.ts';
import { pageOf } from './pages.ts';

const LAST_MINOR = 35;

export function imageRoutes(cloud: Cloud): Route[] {
  const list = (call: Call, render: (row: ImageRow) => Json) => {
    requireOld(call);
    const rows = cloud.images.all().filter((row) => isImageVisible(row, call));
    const { page, links } = pageOf(rows, { call, key: 'images', base: `${cloud.url}/compute/v2.1` });
    return ok({ images: page.map(render), ...links });
  };
  return [
    route('GET', '/images', (call) => list(call, (row) => brief(cloud, row))),
    route('GET', '/images/detail', (call) => list(call, (row) => show(cloud, row))),
    route('GET', '/images/{id}', (call) => ok({ image: show(cloud, mustImage(cloud, call)) })),
    route('DELETE', '/images/{id}', (call) => {
      const row = mustImage(cloud, call);
      const isOwn = call.caller.isAdmin || row.owner === call.caller.projectId;
      if (!isOwn || row.protected) throw forbidden('You are not allowed to delete the image.');
      cloud.images.remove(row.id);
      cloud.contents.delete(row.id);
      return noContent;
    }),
  ];
}

function requireOld({ minor }: Call): void {
  if (minor > LAST_MINOR) throw notFound('The resource could not be found.');
}

function mustImage(cloud: Cloud, call: Call): ImageRow {
  requireOld(call);
  const row = cloud.images.get(call.params.id);
  if (row && isImageVisible(row, call)) return row;
  throw notFound('Image not found.');
}

function brief(cloud: Cloud, { id, name }: ImageRow): Json {
  const links = [
    { rel: 'self', href: `${cloud.url}/compute/v2.1/images/${id}` },
    { rel: 'bookmark', href: `${cloud.url}/compute/images/${id}` },
    { rel: 'alternate', type: 'application/vnd.openstack.image', href: `${cloud.url}/image/images/${id}` },
  ];
  return { id, name, links };
}

const STATUSES: Readonly<Record<string, string>> = { queued: 'SAVING', saving: 'SAVING', active: 'ACTIVE' };

function show(cloud: Cloud, row: ImageRow): Json {
  const { instance_uuid: server } = row.properties;
  const base = `${cloud.url}/compute`;
  return {
    ...brief(cloud, row),
    minRam: row.min_ram,
    minDisk: row.min_disk,
    metadata: row.properties,
    created: row.created_at,
    updated: row.updated_at,
    status: STATUSES[row.status] ?? 'UNKNOWN',
    progress: { queued: 25, saving: 50, active: 100 }[row.status as string] ?? 0,
    'OS-EXT-IMG-SIZE:size': row.size ?? 0,
    ...(server === undefined
      ? {}
      : {
          server: {
            id: server,
            links: [
              { rel: 'self', href: `${base}/v2.1/servers/${server}` },
              { rel: 'bookmark', href: `${base}/servers/${server}` },
            ],
          },
        }),
  };
}
