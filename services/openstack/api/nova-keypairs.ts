// Nova's key pairs. They belong to the user that our credentials stand for, not to a project, and Nova counts them by that
// user too. Reference: https://docs.openstack.org/api-ref/compute/#keypairs-keypairs

import { path } from './path.ts';
import type { ServiceClient } from './request.ts';
import type { CallContext } from './settings.ts';

export type Keypair = {
  /** Letters, digits, spaces, dashes and underscores; since 2.92 also `@` and `.`. */
  readonly name: string;
  readonly public_key: string;
  readonly fingerprint: string;
  /** Only where one is asked for. */
  readonly created_at?: string;
};

export function createKeypairs(client: ServiceClient) {
  return {
    async listKeypairs(context: CallContext): Promise<readonly Keypair[]> {
      const call = { path: path`/os-keypairs`, what: 'list key pairs' };
      const wrapped = await client.list<{ keypair: Keypair }>('keypairs', call, context);
      return wrapped.map((one) => one.keypair);
    },

    getKeypair: (name: string, context: CallContext) =>
      client.item<Keypair>(
        'keypair',
        { path: path`/os-keypairs/${name}`, what: `find the key pair "${name}"` },
        context,
      ),

    /**
     * Imports a public key; without one Nova makes a pair (up to 2.91) and tells the private key this once. It must not be
     * logged or kept.
     */
    createKeypair: (keypair: { readonly name: string; readonly public_key?: string }, context: CallContext) =>
      client.item<Keypair & { readonly private_key?: string }>(
        'keypair',
        {
          method: 'POST',
          path: path`/os-keypairs`,
          json: { keypair },
          what: `create the key pair "${keypair.name}"`,
        },
        context,
      ),

    deleteKeypair: (name: string, context: CallContext) =>
      client.send(
        { method: 'DELETE', path: path`/os-keypairs/${name}`, what: `delete the key pair "${name}"` },
        context,
      ),
  };
}
