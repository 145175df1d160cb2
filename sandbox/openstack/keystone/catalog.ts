// The service catalog, and the lists of services, endpoints, regions and domains that it is made of.

import type { Cloud } from '../cloud.ts';
import { Fault, ok, type Route, route } from '../http.ts';
import { stableHexId } from '../ids.ts';
import { listed, requireRule } from './faults.ts';
import { DEFAULT_DOMAIN } from './rows.ts';

const REGION = 'RegionOne';
const INTERFACES = ['public', 'internal', 'admin'] as const;

const SERVICES = [
  { type: 'compute', name: 'nova', path: '/compute/v2.1' },
  { type: 'identity', name: 'keystone', path: '/identity/v3' },
  { type: 'network', name: 'neutron', path: '/networking' },
  { type: 'image', name: 'glance', path: '/image' },
  { type: 'volumev3', name: 'cinderv3', path: '/volume/v3/$(project_id)s' },
] as const;

/** The catalog as a token carries it. Without a project, endpoints with a project in their URL are left out. */
export function catalogOf(cloud: Cloud, projectId: string | undefined) {
  return SERVICES.map(({ type, name, path }) => {
    const needsProject = path.includes('$(project_id)s');
    const url = `${cloud.url}${path.replace('$(project_id)s', projectId ?? '')}`;
    const endpoints = INTERFACES.map((kind) => ({
      id: stableHexId(`endpoint ${type} ${kind}`),
      interface: kind,
      region_id: REGION,
      url,
      region: REGION,
    }));
    return {
      endpoints: needsProject && !projectId ? [] : endpoints,
      id: stableHexId(`service ${type}`),
      type,
      name,
    };
  });
}

export function catalogRoutes(cloud: Cloud): Route[] {
  const base = `/identity/v3`;
  const domain = () => ({
    ...DEFAULT_DOMAIN,
    description: 'The default domain',
    enabled: true,
    tags: [],
    options: {},
    links: { self: `${cloud.url}${base}/domains/default` },
  });
  const region = () => ({
    id: REGION,
    description: '',
    parent_region_id: null,
    links: { self: `${cloud.url}${base}/regions/${REGION}` },
  });
  const services = () =>
    SERVICES.map(({ type, name }) => {
      const id = stableHexId(`service ${type}`);
      return { name, id, type, enabled: true, links: { self: `${cloud.url}${base}/services/${id}` } };
    });
  const endpoints = () =>
    SERVICES.flatMap(({ type, path }) =>
      INTERFACES.map((kind) => {
        const id = stableHexId(`endpoint ${type} ${kind}`);
        return {
          id,
          interface: kind,
          region_id: REGION,
          service_id: stableHexId(`service ${type}`),
          url: `${cloud.url}${path}`,
          enabled: true,
          region: REGION,
          links: { self: `${cloud.url}${base}/endpoints/${id}` },
        };
      }),
    );
  return [
    route('GET', '/auth/catalog', ({ caller, target }) =>
      ok({
        catalog: catalogOf(cloud, caller.projectId || undefined),
        links: { next: null, self: `${cloud.url}${base}${target}`, previous: null },
      }),
    ),
    route('GET', '/domains', ({ caller, target, query }) => {
      requireRule(caller, 'identity:list_domains');
      const name = query.get('name');
      const found = name === null || name === DEFAULT_DOMAIN.name ? [domain()] : [];
      return ok(listed(cloud, target, 'domains', found));
    }),
    route('GET', '/domains/{id}', ({ caller, params }) => {
      requireRule(caller, 'identity:get_domain', params.id === 'default');
      if (params.id !== 'default') throw new Fault(404, `Could not find domain: ${params.id}.`);
      return ok({ domain: domain() });
    }),
    route('GET', '/regions', ({ target }) => ok(listed(cloud, target, 'regions', [region()]))),
    route('GET', '/regions/{id}', ({ params }) => {
      if (params.id !== REGION) throw new Fault(404, `Could not find region: ${params.id}.`);
      return ok({ region: region() });
    }),
    route('GET', '/services', ({ caller, target, query }) => {
      requireRule(caller, 'identity:list_services');
      const type = query.get('type');
      const name = query.get('name');
      const found = services().filter(
        (row) => (type ?? row.type) === row.type && (name ?? row.name) === row.name,
      );
      return ok(listed(cloud, target, 'services', found));
    }),
    route('GET', '/endpoints', ({ caller, target }) => {
      requireRule(caller, 'identity:list_endpoints');
      return ok(listed(cloud, target, 'endpoints', endpoints()));
    }),
  ];
}
