// The metadata of volumes and of snapshots, as a whole and item by item.

import type { Cloud } from '../cloud.ts';
import { type Call, ok, type Route, route } from '../http.ts';
import { badRequest, metadataOf, notFound } from '../nova/faults.ts';
import { mustSnapshot } from './snapshots.ts';
import { mustVolume } from './volumes.ts';

type Metadata = Readonly<Record<string, string>>;
type Owner = { readonly id: string; readonly metadata: Metadata };

type Kind = {
  readonly path: string;
  /** As in "Volume … has no metadata with key …". */
  readonly word: string;
  readonly find: (call: Call) => Owner;
  readonly save: (id: string, metadata: Metadata) => void;
};

export function metadataRoutes(cloud: Cloud): Route[] {
  const volumes: Kind = {
    path: '/volumes/{id}/metadata',
    word: 'Volume',
    find: (call) => mustVolume(cloud, call),
    save: (id, metadata) => void cloud.volumes.update(id, { metadata }),
  };
  const snapshots: Kind = {
    path: '/snapshots/{id}/metadata',
    word: 'Snapshot',
    find: (call) => mustSnapshot(cloud, call),
    save: (id, metadata) => void cloud.snapshots.update(id, { metadata }),
  };
  return [...routesOf(volumes), ...routesOf(snapshots)];
}

function routesOf({ path, word, find, save }: Kind): Route[] {
  const saved = (id: string, metadata: Metadata) => {
    save(id, metadata);
    return ok({ metadata });
  };
  const mustItem = ({ id, metadata }: Owner, key: string): string => {
    const value = metadata[key];
    if (value === undefined) throw notFound(`${word} ${id} has no metadata with key ${key}.`);
    return value;
  };
  return [
    route('GET', path, (call) => ok({ metadata: find(call).metadata })),
    route('POST', path, (call) => {
      const { id, metadata } = find(call);
      return saved(id, { ...metadata, ...metadataOf(call.body.metadata, 'metadata') });
    }),
    route('PUT', path, (call) => saved(find(call).id, metadataOf(call.body.metadata, 'metadata'))),
    route('GET', `${path}/{key}`, (call) => {
      const { key = '' } = call.params;
      return ok({ meta: { [key]: mustItem(find(call), key) } });
    }),
    route('PUT', `${path}/{key}`, (call) => {
      const { key = '' } = call.params;
      const owner = find(call);
      const meta = metadataOf(call.body.meta, 'meta');
      if (meta[key] === undefined) throw badRequest('Request body and URI mismatch');
      save(owner.id, { ...owner.metadata, [key]: meta[key] });
      return ok({ meta: { [key]: meta[key] } });
    }),
    route('DELETE', `${path}/{key}`, (call) => {
      const { key = '' } = call.params;
      const owner = find(call);
      mustItem(owner, key);
      const { [key]: _, ...rest } = owner.metadata;
      save(owner.id, rest);
      return { status: 200 };
    }),
  ];
}
