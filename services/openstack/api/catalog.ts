// Which address of a service is meant: by type and its aliases, interface, region and overrides, with the version path put
// right and any prefix kept. Types: https://service-types.openstack.org/service-types.json

import { Failure } from '#common/errors.ts';
import { type CloudSettings, SERVICE_TITLES, type ServiceName } from './settings.ts';

export type Endpoint = {
  readonly interface: string;
  readonly region: string;
  readonly regionId: string;
  readonly url: string;
};
export type Catalog = readonly { readonly type: string; readonly endpoints: readonly Endpoint[] }[];

/** The first type that the catalog has is taken. */
const TYPES: Readonly<Record<ServiceName, readonly string[]>> = {
  keystone: ['identity', 'identityv3'],
  nova: ['compute', 'computev21'],
  neutron: ['network'],
  glance: ['image'],
  cinder: ['block-storage', 'volumev3', 'block-store', 'volume'],
};

/** Reads a token's catalog; what is not an endpoint is left out. */
export function parseCatalog(value: unknown): Catalog {
  if (!Array.isArray(value)) return [];
  return value.map((service: { type?: unknown; endpoints?: unknown }) => ({
    type: String(service.type ?? ''),
    endpoints: (Array.isArray(service.endpoints) ? service.endpoints : [])
      .map((one: Record<string, unknown>) => ({
        // v2-era catalogs wrote "publicURL".
        interface: String(one.interface ?? '').replace(/URL$/, ''),
        region: String(one.region ?? one.region_id ?? ''),
        regionId: String(one.region_id ?? one.region ?? ''),
        url: String(one.url ?? ''),
      }))
      .filter((one) => one.url !== ''),
  }));
}

export type EndpointQuery = {
  readonly service: ServiceName;
  readonly catalog: Catalog;
  readonly projectId: string | undefined;
  readonly settings: Pick<CloudSettings, 'authUrl' | 'interface' | 'regionName' | 'endpointOverrides'>;
};

/** The service's root below which API paths start, without a slash at its end. */
export function chooseEndpoint({ service, catalog, projectId, settings }: EndpointQuery): string {
  const override = settings.endpointOverrides?.[service];
  if (override !== undefined && override !== '') {
    const filled = override.replace(
      /%\((project|tenant)_id\)s|\$\((project|tenant)_id\)s|\{project_id\}/g,
      projectId ?? '',
    );
    return versioned(service, filled, projectId);
  }
  const found = find({ service, catalog, settings });
  if (found !== undefined) return versioned(service, found, projectId);
  // Whoever answered with the token is Keystone, whatever the catalog leaves out.
  if (service === 'keystone') return identityUrl(settings.authUrl);
  throw missing(service, catalog, settings);
}

function find({ service, catalog, settings }: Omit<EndpointQuery, 'projectId'>): string | undefined {
  for (const type of TYPES[service]) {
    const endpoints = catalog.filter((one) => one.type === type).flatMap((one) => one.endpoints);
    const match = endpoints.find(
      (one) =>
        one.interface === settings.interface &&
        (!settings.regionName || [one.region, one.regionId].includes(settings.regionName)),
    );
    if (match !== undefined) return match.url;
  }
  return undefined;
}

/** Appends the version where the catalog gives a bare address, and the project where Cinder wants one. */
function versioned(service: ServiceName, url: string, projectId: string | undefined): string {
  const base = url.replace(/\/+$/, '');
  switch (service) {
    case 'keystone':
      return identityUrl(base);
    case 'nova':
      return /\/v2(\.\d+)?(\/[^/]+)?$/.test(base) ? base : `${base}/v2.1`;
    case 'neutron':
      return /\/v2\.0$/.test(base) ? base : `${base}/v2.0`;
    case 'glance':
      return /\/v2(\.\d+)?$/.test(base) ? base : `${base.replace(/\/v1(\.\d+)?$/, '')}/v2`;
    case 'cinder': {
      if (/\/v3\/[^/]+$/.test(base)) return base;
      // Before Yoga (3.67) the project is a must in the path, and after it is allowed.
      const root = /\/v3$/.test(base) ? base : `${base.replace(/\/v[12](\/[^/]+)?$/, '')}/v3`;
      return projectId === undefined ? root : `${root}/${projectId}`;
    }
  }
}

/** Keystone's v3 root for an address given with or without a version. */
export function identityUrl(authUrl: string): string {
  const bare = authUrl.replace(/\/+$/, '').replace(/\/v(2\.0|3)$/, '');
  return `${bare}/v3`;
}

/** Where a service tells its versions: its root without the project. */
export function versionRoot(endpoint: string): string {
  return `${endpoint.replace(/(\/v\d+(?:\.\d+)?)\/[^/]+$/, '$1')}/`;
}

function missing(
  service: ServiceName,
  catalog: Catalog,
  { interface: wanted, regionName }: EndpointQuery['settings'],
): Failure {
  const offered = catalog
    .filter((one) => TYPES[service].includes(one.type))
    .flatMap((one) => one.endpoints.map((endpoint) => `${endpoint.interface} in ${endpoint.region}`));
  const where = regionName ? ` in region ${regionName}` : '';
  const hint = offered.length > 0 ? `it offers ${[...new Set(offered)].join(', ')}` : 'it has none';
  return new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'ENDPOINT_MISSING',
    message: `OpenStack's catalog has no ${wanted} endpoint of ${SERVICE_TITLES[service]}${where}; ${hint}`,
    retryable: false,
    metadata: { service },
  });
}
