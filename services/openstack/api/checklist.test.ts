// What a serious client of OpenStack must handle, item by item, and the tests that prove it: docs/openstack-client.md has the
// items in words. A test that is renamed or removed is missed here.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

const ROOT = resolve(import.meta.dirname, '../../..');
const API = 'services/openstack/api';
const FILES = {
  session: `${API}/session.test.ts`,
  credentials: `${API}/credentials.test.ts`,
  redirects: `${API}/redirects.test.ts`,
  newborns: `${API}/newborns.test.ts`,
  secrets: `${API}/secrets.test.ts`,
  request: `${API}/request.test.ts`,
  transport: `${API}/transport.test.ts`,
  limiter: `${API}/limiter.test.ts`,
  endpoints: `${API}/catalog.test.ts`,
  microversions: `${API}/microversions.test.ts`,
  errors: `${API}/errors.test.ts`,
  pages: `${API}/pages.test.ts`,
  services: `${API}/services.test.ts`,
  breakers: `${API}/breakers.test.ts`,
  catalog: 'services/openstack/catalog.test.ts',
  config: 'services/openstack/cloud-config.test.ts',
  kinds: 'services/openstack/kinds/kinds.test.ts',
  furtherKinds: 'services/openstack/kinds/further-kinds.test.ts',
  failures: 'services/openstack/kinds/failures.test.ts',
  converge: 'engine/converge.test.ts',
  instances: 'tests/contract/instances.test.ts',
  projects: 'tests/contract/projects.test.ts',
  sick: 'tests/contract/sick-service.test.ts',
} as const;

/** A part of a test's name, or of a row of a table of tests, and where it stands. */
type Proof = readonly [keyof typeof FILES, string];
/** `rest` says what of the item cannot be provoked here. */
type Item = { readonly what: string; readonly proofs: readonly Proof[]; readonly rest?: string };

const ITEMS: Readonly<Record<number, Item>> = {
  1: {
    what: 'tokens are renewed before they end, by UTC',
    proofs: [
      ['session', 'a token is renewed two minutes before it ends'],
      ['session', 'a token counts by how long it lives'],
    ],
  },
  2: {
    what: 'one renewal per 401, shared, never recursive, the body sent whole',
    proofs: [
      ['session', 'a token that was revoked is replaced once, however many calls it fails'],
      ['session', 'a service that refuses every token is asked twice and no more'],
      ['session', 'whoever comes late with a refused token gets the one fetched meanwhile'],
      ['session', 'what is sent again with a new token is sent whole'],
    ],
  },
  3: {
    what: 'long work gets a token that lasts',
    proofs: [['session', 'work that goes on after the answer gets a token with half its life left']],
    rest: 'a cloud before service tokens, which ends the work with the token, is not at hand',
  },
  4: {
    what: 'password, token, application credential; project, domain, system or no scope',
    proofs: [
      ['session', 'a token for a domain or the whole system is asked for as such'],
      ['session', 'no role on the system, or in a domain, is told as such'],
      ['session', 'an application credential is sent without a scope'],
      ['session', 'an application credential is not taken for a project that is not its own'],
      ['session', 'a token given without a project is used as it is'],
      ['credentials', 'the home is asked for as it was named'],
      ['credentials', 'a user is named by name and domain, or by id alone'],
      ['credentials', 'a given token that has ended is told as such after one look'],
      ['config', 'each way of authenticating is told by its auth_type'],
      ['config', 'the home is a project by name or id, a domain, the system'],
      ['config', 'what the client cannot do is refused by its name'],
    ],
    rest: 'OIDC and other federation are not spoken',
  },
  5: {
    what: 'no secret in failures and records',
    proofs: [
      ['request', 'no token and no password lies in a failure'],
      ['secrets', 'no password, token, user data or console address is logged'],
    ],
  },
  6: {
    what: 'endpoints by type, interface, region, override',
    proofs: [
      ['endpoints', 'the wanted region and interface are chosen among several'],
      [
        'endpoints',
        'a region is found by its name and by its id, and the first of several addresses is taken',
      ],
      ['endpoints', 'every official type of block storage is known'],
      ['endpoints', 'an override goes before the catalog'],
      ['endpoints', 'a service that is not offered where it is wanted is refused'],
    ],
  },
  7: {
    what: 'endpoints with and without version, prefix, project; hosts of version documents are not trusted',
    proofs: [
      ['endpoints', 'a bare address gets the version its API lies under, and a prefix is kept'],
      ['endpoints', 'versions are told at the root, without the project'],
      ['microversions', 'version documents are read in both forms'],
      [
        'microversions',
        'a version document that gives another host and scheme, as behind a proxy, changes no address',
      ],
    ],
  },
  8: {
    what: 'microversions per feature, a clear refusal',
    proofs: [
      ['microversions', 'a cloud that is too old for a feature is refused with what it speaks'],
      ['microversions', 'where a proxy hides the version document the version is sent unasked'],
      ['microversions', 'the version is asked for once and sent with every call that reads its shapes'],
      ['errors', 'Version 2.999 is not supported by the API.'],
    ],
  },
  9: {
    what: 'absent is deleted; in use is not yet deleted',
    proofs: [
      ['request', 'a deletion whose answer was lost is done when it is repeated and nothing is there'],
      ['failures', 'a removal is patient with errors and with what is still in use'],
    ],
  },
  10: {
    what: '429, 498, 413 and 503 with Retry-After or an own pause',
    proofs: [
      ['request', 'a list that fails once with 503 is asked for again'],
      ['request', 'a creation that was turned away with 429 is sent again after the time asked for'],
      ['request', 'a service that asks for much patience is not waited for'],
      ['request', 'a list whose connection is cut is asked for once more and no oftener'],
      ['request', 'Retry-After is read as seconds and as a date'],
      ['request', 'a time to come again is read by the clock of the cloud'],
      ['request', 'a creation that is told to come again with'],
      ['errors', "['keystone', 498,"],
    ],
  },
  11: {
    what: 'no POST is replayed blindly',
    proofs: [
      ['request', 'is never sent twice'],
      ['failures', 'once at any call of a deployment makes no difference'],
      ['transport', 'what never was sent says so'],
    ],
  },
  12: {
    what: 'redirects are followed on the same host with the same method, and nowhere else',
    proofs: [
      ['redirects', 'on the same host is followed, token and all'],
      ['redirects', 'a creation that is redirected with 307 stays a creation'],
      ['redirects', 'a creation that is redirected with 302 is refused, and never becomes a GET'],
      ['redirects', 'a redirect to another host is not followed: the token goes nowhere'],
      ['redirects', 'redirects that lead in a circle are given up'],
    ],
  },
  13: {
    what: 'request ids both ways',
    proofs: [
      ['request', 'the request id goes along, and the cloud’s own comes back in records and failures'],
      ['request', 'a request id is what OpenStack takes for one'],
      ['secrets', 'and both request ids are'],
    ],
  },
  14: {
    what: 'error bodies of every service',
    proofs: [
      ['errors', 'Glance’s page is read down to its sentence'],
      ['errors', 'whatever else stands in an error body is survived'],
      ['errors', "neutron('OverQuota'"],
      ['errors', 'a quota is not told to be tried again later, although Cinder says so'],
      ['errors', 'RevisionNumberConstraintFailed'],
    ],
  },
  15: {
    what: 'connections, times, sizes, places',
    proofs: [
      ['transport', 'one connection serves call after call, errors included'],
      ['transport', 'is given up when its time is over'],
      ['transport', 'an answer that ends before its end is no answer'],
      ['transport', 'an answer that is too large is cut off while it comes'],
      ['request', 'no more requests are under way than allowed'],
      ['limiter', 'a service that hangs leaves places for the others'],
      ['sick', 'a call that its caller ends, or whose deadline passes, lets go of the cloud at once'],
      ['breakers', 'is soon not asked any more, and Nova goes on'],
    ],
  },
  16: {
    what: 'TLS',
    proofs: [
      ['transport', 'a certificate is trusted only if its authority is, and its host is the one called'],
      ['transport', 'a client certificate is shown to a service that asks for one'],
    ],
  },
  17: {
    what: 'pages',
    proofs: [
      ['pages', 'the pages of every service are put together, on the address chosen'],
      ['pages', 'pages that lead in a circle end in an error'],
      ['pages', 'a list that Keystone cut short is not taken for the whole'],
      ['pages', 'an empty page ends the list even if it links on'],
      ['pages', 'a list goes on when the server that a page starts after is deleted meanwhile'],
      ['pages', 'a list whose markers vanish for ever is given up'],
    ],
    rest: 'Swift is not spoken',
  },
  18: {
    what: 'servers are made later; their fault is read',
    proofs: [
      ['services', 'a new server’s administrator password goes no further'],
      ['failures', 'a server that no host takes is made anew once'],
      ['instances', 'an instance is made by the names of the tables, runs, and shows its address'],
    ],
  },
  19: {
    what: 'ports of ours, in order, and what becomes of them',
    proofs: [['furtherKinds', 'a guarded node with disks, a key and an address outside is deployed']],
    rest: 'a cloud on which our ports die with the server is not at hand; the next look makes them again',
  },
  20: {
    what: 'deletion is done when it is 404; locks',
    proofs: [
      ['kinds', 'deployed, found equal, and removed to the last port'],
      ['errors', 'SERVER_LOCKED'],
    ],
  },
  21: {
    what: 'zones, sizes, volumes to boot from',
    proofs: [
      ['failures', 'a server that no host takes is made anew once'],
      ['instances', 'unknown names are refused together, with the names that exist'],
    ],
  },
  22: {
    what: 'consoles are secrets',
    proofs: [['services', 'the address of a console stands in no record of the call']],
  },
  23: {
    what: 'quotas of three services',
    proofs: [
      ['projects', 'a further project has the quotas asked for'],
      ['catalog', 'quotas are asked for once per project'],
      ['catalog', 'quotas that are set here are read anew at once'],
    ],
    rest: 'a cloud with unified limits is not at hand',
  },
  24: {
    what: 'order of making and removing',
    proofs: [
      ['kinds', 'deployed, found equal, and removed to the last port'],
      ['failures', 'a removal is patient with errors and with what is still in use'],
    ],
  },
  25: {
    what: 'a subnet in use is tried again',
    proofs: [
      ['failures', 'a removal is patient with errors and with what is still in use'],
      ['errors', "neutron('SubnetInUse')"],
    ],
  },
  26: {
    what: 'a rule that exists is no failure of the network',
    proofs: [['errors', "neutron('SecurityGroupRuleExists'"]],
  },
  27: { what: 'a VLAN that is taken', proofs: [['errors', "neutron('VlanIdInUse')"]] },
  28: {
    what: 'names are not unique',
    proofs: [
      ['failures', 'what is not marked is never touched, whatever its name'],
      ['services', 'a name that two users share'],
    ],
  },
  29: {
    what: 'marks are set by the call that creates',
    proofs: [
      ['services', 'a marker is written as each kind keeps it, and read back from each'],
      ['services', 'a marker that Nova could not keep is refused before anything is made'],
    ],
  },
  30: { what: 'a floating IP that is taken', proofs: [['errors', 'FLOATING_IP_PRESENT']] },
  31: {
    what: 'volumes attach later',
    proofs: [
      ['instances', 'a volume is made, attached, detached and deleted'],
      ['errors', 'Invalid volume: Volume status must be available or error'],
    ],
  },
  32: {
    what: 'images are of use when they are active',
    proofs: [['catalog', 'images are kept, but not while one is being made']],
  },
  33: {
    what: 'projects and roles',
    proofs: [
      ['projects', 'a user begins with no project, and gets one with quotas when something is made'],
      ['services', 'a role that the cloud does not have'],
    ],
  },
  34: {
    what: 'clocks and lists that lag',
    proofs: [
      ['session', 'a token counts by how long it lives, whatever the cloud’s clock says'],
      ['credentials', 'what a given token still lives is reckoned by the cloud’s clock'],
      ['newborns', 'what was just made is found although the next server does not know it yet'],
      ['newborns', 'what was just made is really deleted, and not taken for gone because a server lags'],
      ['newborns', 'a project that was just made gives a token although Keystone’s next server'],
      ['newborns', 'a lag that does not end is believed after a while'],
      ['converge', 'lists that lag behind make no duplicate'],
    ],
  },
};

const texts = new Map<string, string>();
function textOf(file: string): string {
  const text = texts.get(file) ?? readFileSync(join(ROOT, file), 'utf8');
  texts.set(file, text);
  return text;
}

test('every item of the list, 1 to 34, has its proof', () => {
  assert.deepEqual(
    Object.keys(ITEMS).map(Number),
    Array.from({ length: 34 }, (_, index) => index + 1),
  );
});

for (const [number, { what, proofs, rest }] of Object.entries(ITEMS)) {
  const note = rest === undefined ? '' : ` (${rest})`;
  test(`${number}: ${what}${note}`, () => {
    assert.ok(proofs.length > 0);
    const missing = proofs.filter(([file, name]) => !textOf(FILES[file]).includes(name));
    assert.deepEqual(missing, []);
  });
}
