// Slices at random, for laws: networks with a subnet each, perhaps a router, and servers with ports on some of them,
// some with a volume, a security group, or an address outside.

import fc from 'fast-check';
import { Resource } from '#proto/pucp/driver/v1/resource.ts';

export type Shape = {
  /** For each network, whether the router has a foot on it. */
  readonly routed: readonly boolean[];
  /** For each server, the networks that it is on. */
  readonly servers: readonly (readonly number[])[];
  /** For each server what it has beside; nothing if absent. */
  readonly extras?: readonly Extras[];
};

type Extras = { readonly volume: boolean; readonly guarded: boolean; readonly floating: boolean };

const extras: fc.Arbitrary<Extras> = fc.record({
  volume: fc.boolean(),
  guarded: fc.boolean(),
  floating: fc.boolean(),
});

export const shapes: fc.Arbitrary<Shape> = fc
  .array(fc.boolean(), { minLength: 1, maxLength: 4 })
  .chain((routed) =>
    fc.record({
      routed: fc.constant(routed),
      servers: fc.array(fc.uniqueArray(fc.integer({ min: 0, max: routed.length - 1 }), { minLength: 1 }), {
        maxLength: 5,
      }),
      extras: fc.array(extras, { minLength: 5, maxLength: 5 }),
    }),
  );

export function wishOf({ routed, servers, extras = [] }: Shape): Resource[] {
  const networks = routed.flatMap((_, n) => [
    make(`net${n}`, { $case: 'network', value: { spec: { vlanId: 0 } } }),
    make(`net${n}`, { $case: 'subnet', value: { spec: { network: `net${n}`, cidr: `10.0.${n}.0/24` } } }),
  ]);
  const feet = routed.flatMap((isRouted, n) =>
    isRouted
      ? [make(`net${n}`, { $case: 'routerInterface', value: { spec: { router: 'gw', subnet: `net${n}` } } })]
      : [],
  );
  const router =
    feet.length > 0 ? [make('gw', { $case: 'router', value: { spec: { external: true } } })] : [];
  const nodes = servers.flatMap((on, s) => {
    const { volume = false, guarded = false, floating = false } = extras[s] ?? {};
    const securityGroups = guarded ? ['web'] : [];
    const volumes = volume ? [`disk${s}`] : [];
    const [outside] = on.filter((n) => floating && routed[n]);
    const address = { port: `vm${s}-net${outside}`, routerInterface: `net${outside}` };
    return [
      ...volumes.map((name) => make(name, { $case: 'volume', value: { spec: { size: 1 } } })),
      ...on.map((n) =>
        make(`vm${s}-net${n}`, {
          $case: 'port',
          value: { spec: { network: `net${n}`, subnet: `net${n}`, securityGroups } },
        }),
      ),
      ...(outside === undefined ? [] : [make(`vm${s}`, { $case: 'floatingIp', value: { spec: address } })]),
      make(`vm${s}`, {
        $case: 'server',
        value: {
          spec: { image: 'debian', flavor: 'small', ports: on.map((n) => `vm${s}-net${n}`), volumes },
        },
      }),
    ];
  });
  const isGuarded = servers.some((_, s) => extras[s]?.guarded);
  return [...networks, ...router, ...feet, ...(isGuarded ? guard : []), ...nodes];
}

type PartialKind = NonNullable<Parameters<typeof Resource.fromPartial>[0]['kind']>;

function make(name: string, kind: PartialKind): Resource {
  return Resource.fromPartial({ name, kind });
}

const guard = [
  make('web', { $case: 'securityGroup', value: { spec: { openEgress: true } } }),
  ...['tcp', 'icmp'].map((protocol) =>
    make(`web/${protocol}`, { $case: 'securityRule', value: { spec: { securityGroup: 'web', protocol } } }),
  ),
];
