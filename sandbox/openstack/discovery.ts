// The version documents: what a client reads before it knows where anything is. The same for everybody, no token.

import type { Reply } from './http.ts';

const link = (href: string, rel = 'self') => ({ rel, href });

/** The document at a path (without trailing slash), or undefined if there is none. */
export function discover(url: string, path: string): Reply | undefined {
  const identity = {
    id: 'v3.14',
    status: 'stable',
    updated: '2020-04-07T00:00:00Z',
    links: [link(`${url}/identity/v3/`)],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
  };
  const compute = {
    id: 'v2.1',
    status: 'CURRENT',
    version: '2.93',
    min_version: '2.1',
    updated: '2013-07-23T11:33:21Z',
    links: [link(`${url}/compute/v2.1/`)],
  };
  const describedBy = { rel: 'describedby', type: 'text/html' };
  switch (path) {
    case '/identity':
      return {
        status: 300,
        body: { versions: { values: [identity] } },
        headers: { location: `${url}/identity/v3/`, vary: 'X-Auth-Token' },
      };
    case '/identity/v3':
      return { status: 200, body: { version: identity }, headers: { vary: 'X-Auth-Token' } };
    case '/compute':
      return { status: 200, body: { versions: [computeV2(url), compute] } };
    case '/compute/v2.1': {
      const links = [...compute.links, { ...describedBy, href: 'http://docs.openstack.org/' }];
      const media = [
        { base: 'application/json', type: 'application/vnd.openstack.compute+json;version=2.1' },
      ];
      return { status: 200, body: { version: { ...compute, links, 'media-types': media } } };
    }
    case '/compute/v2': {
      const { links, ...rest } = computeV2(url);
      const described = [...links, { ...describedBy, href: 'http://docs.openstack.org/' }];
      const media = [{ base: 'application/json', type: 'application/vnd.openstack.compute+json;version=2' }];
      return { status: 200, body: { version: { ...rest, links: described, 'media-types': media } } };
    }
    case '/networking':
      return {
        status: 200,
        body: { versions: [{ id: 'v2.0', status: 'CURRENT', links: [link(`${url}/networking/v2.0/`)] }] },
      };
    case '/image':
    case '/image/versions':
      return { status: path === '/image' ? 300 : 200, body: { versions: imageVersions(url) } };
    case '/volume':
    case '/volume/v3':
      return { status: path === '/volume' ? 300 : 200, body: { versions: [volumeV3(url)] } };
    default:
      return undefined;
  }
}

function computeV2(url: string) {
  return {
    id: 'v2.0',
    status: 'SUPPORTED',
    version: '',
    min_version: '',
    updated: '2011-01-21T11:33:21Z',
    links: [link(`${url}/compute/v2/`)],
  };
}

function imageVersions(url: string) {
  const minors = [15, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0];
  return minors.map((minor) => ({
    id: `v2.${minor}`,
    status: minor === 15 ? 'CURRENT' : 'SUPPORTED',
    links: [link(`${url}/image/v2/`)],
  }));
}

function volumeV3(url: string) {
  return {
    id: 'v3.0',
    status: 'CURRENT',
    version: '3.70',
    min_version: '3.0',
    updated: '2022-08-31T00:00:00Z',
    links: [
      { rel: 'describedby', type: 'text/html', href: 'https://docs.openstack.org/' },
      link(`${url}/volume/v3/`),
    ],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.volume+json;version=3' }],
  };
}
