// What is deployed, in words of no contender: networks with their ranges, and nodes with the networks they are on.

export type Shape = {
  readonly networks: readonly { readonly name: string; readonly cidr: string }[];
  readonly nodes: readonly { readonly name: string; readonly networks: readonly string[] }[];
};

export const IMAGE = 'cirros';
export const FLAVOR = 'm1.nano';

/** Nodes one after the other on the networks, each on one. */
export function spread(nodes: number, networks: number): Shape {
  return {
    networks: Array.from({ length: networks }, (_, index) => networkOf(index)),
    nodes: Array.from({ length: nodes }, (_, index) => ({
      name: `vm${index + 1}`,
      networks: [networkOf(index % networks).name],
    })),
  };
}

/** A network for each link between neighbours. */
export function ring(nodes: number): Shape {
  return {
    networks: Array.from({ length: nodes }, (_, index) => networkOf(index)),
    nodes: Array.from({ length: nodes }, (_, index) => ({
      name: `vm${index + 1}`,
      networks: [networkOf(index).name, networkOf((index + 1) % nodes).name],
    })),
  };
}

function networkOf(index: number): Shape['networks'][number] {
  return { name: `net${index + 1}`, cidr: `10.77.${index}.0/24` };
}
