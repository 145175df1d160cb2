// Examples of every rpc for the ownership walk: one file per service in `ownership/`, found by itself, which
// exports `examples`. A service or rpc without one fails the walk.

import { globSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '#common/rpc-client.ts';
import { ACCESS } from '#proto/access.ts';
import type { Contract, ContractUser } from './contract.ts';

/** What the owner has, by kind: ids, and names where there are no ids. */
export type Things = Readonly<Record<string, string>>;
/** ts-proto's description of a service. */
export type Definition = Readonly<
  Record<
    string,
    {
      readonly path: string;
      readonly requestStream: boolean;
      readonly responseStream: boolean;
      readonly requestDeserialize: (bytes: Buffer) => unknown;
    }
  >
>;

/** What a method takes; of a stream, its messages. */
type RequestOf<F> = F extends (request: infer Q, ...rest: never[]) => unknown
  ? Q extends AsyncIterable<infer P>
    ? P
    : Q
  : never;
/** The fields that matter, by rpc; the others are as if they were not sent. */
export type Requests<S> = { readonly [M in keyof Client<S>]?: Partial<RequestOf<Client<S>[M]>> };

export type Examples = {
  readonly definition: Definition;
  /** Makes what the requests name, for the owner. It is given what OpenstackService's examples have made. */
  readonly make: (contract: Contract, owner: ContractUser, made: Things) => Promise<Things>;
  /** Removes what does not go with the owner's projects. */
  readonly clean: (contract: Contract, owner: ContractUser, made: Things) => Promise<void>;
  /** Requests that name something of somebody's: everyone else is to be told that it does not exist. */
  readonly named: (things: Things) => Readonly<Record<string, object>>;
  /** Requests on what is the caller's own that name something of somebody else's besides, each refused. */
  readonly mixed: (own: Things, foreign: Things) => readonly Readonly<Record<string, object>>[];
  /** Requests that name nothing of anybody's: what they look at is the caller's own, or everyone's. */
  readonly nameless: Readonly<Record<string, object>>;
};

/** Checks the requests against the service's types. */
export function examplesOf<S>(
  definition: Definition,
  {
    make,
    clean,
    named,
    mixed,
    nameless,
  }: {
    readonly make?: Examples['make'];
    readonly clean?: Examples['clean'];
    readonly mixed?: (own: Things, foreign: Things) => readonly Requests<S>[];
    readonly named: (things: Things) => Requests<S>;
    readonly nameless: Requests<S>;
  },
): Examples {
  return {
    definition,
    make: make ?? (async () => ({})),
    clean: clean ?? (async () => undefined),
    mixed: (mixed ?? (() => [])) as Examples['mixed'],
    named: named as Examples['named'],
    nameless: nameless as Examples['nameless'],
  };
}

/** All files' examples, those of OpenstackService first, since the others' things hang on its. */
export async function loadExamples(): Promise<readonly Examples[]> {
  const folder = join(import.meta.dirname, 'ownership');
  const files = globSync('*.ts', { cwd: folder }).sort(
    (a, b) => Number(b === 'openstack.ts') - Number(a === 'openstack.ts') || a.localeCompare(b),
  );
  const modules = await Promise.all(
    files.map(async (file) => (await import(join(folder, file))) as { readonly examples: Examples }),
  );
  return modules.map(({ examples }) => examples);
}

/** The paths of all rpcs of the package, whoever serves them. */
export function allPaths(): string[] {
  return Object.keys(ACCESS).filter((path) => path.startsWith('/pucp.openstack.v1.'));
}
