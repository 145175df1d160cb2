// What a port's address pairs, policies and addresses must be.

import { isIP } from 'node:net';
import { Fault, isObject, type Json } from '../http.ts';
import { parseCidr } from './addresses.ts';
import { badRequest } from './faults.ts';
import type { PortRow } from './rows.ts';

const MAX_PAIRS = 10;

export function pairsOf(wish: unknown, mac: string) {
  if (wish !== null && !Array.isArray(wish)) throw badRequest('Allowed address pairs must be a list.');
  const pairs: unknown[] = wish ?? [];
  if (pairs.length > MAX_PAIRS) {
    const message = `The number of allowed address pair exceeds the maximum ${MAX_PAIRS}.`;
    throw new Fault(400, message, 'AllowedAddressPairExhausted');
  }
  const seen = new Set<string>();
  return pairs.map((pair) => {
    if (!isObject(pair) || pair.ip_address === undefined) {
      const message = 'AllowedAddressPair must contain ip_address';
      throw new Fault(400, message, 'AllowedAddressPairsMissingIP');
    }
    const address = String(pair.ip_address);
    if (isIP(address) === 0 && parseCidr(address) === undefined) {
      throw badRequest(`'${address}' is not a valid IP ${address.includes('/') ? 'subnet' : 'address'}`);
    }
    const text = `mac_address ${String(pair.mac_address ?? 'None')} ip_address ${address}`;
    if (seen.has(text)) {
      const message = `Request contains duplicate address pair: ${text}.`;
      throw new Fault(400, message, 'DuplicateAddressPairInRequest');
    }
    seen.add(text);
    return {
      mac_address: typeof pair.mac_address === 'string' ? pair.mac_address : mac,
      ip_address: address,
    };
  });
}

export function refuseQos({ qos_policy_id: id }: Json): void {
  if (typeof id === 'string')
    throw new Fault(404, `QoS policy ${id} could not be found.`, 'QosPolicyNotFound');
}

/** A router's IPv4 address cannot be changed under it. */
export function refuseRouterAddress(row: PortRow, wish: unknown): void {
  if (!Array.isArray(wish) || row.device_owner !== 'network:router_interface') return;
  const old = row.fixed_ips.map((ip) => ip.ip_address);
  const isNew = wish.some((ip) => isObject(ip) && !old.includes(String(ip.ip_address)));
  if (!isNew && wish.length === old.length) return;
  throw new Fault(400, `Bad ports request: IP updates for port ${row.id} are not allowed.`, 'BadRequest');
}

export function refusePairsWithoutSecurity(isSecure: boolean, pairs: unknown): void {
  if (isSecure || !Array.isArray(pairs) || pairs.length === 0) return;
  const message = 'Port Security must be enabled in order to have allowed address pairs on a port.';
  throw new Fault(409, message, 'AddressPairAndPortSecurityRequired');
}
