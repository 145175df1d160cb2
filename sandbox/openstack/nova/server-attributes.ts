// What a server is told at its creation and at later changes alike, and the group it is made in.

import { isIP } from 'node:net';
import type { Cloud } from '../cloud.ts';
import { type Call, isObject, type Json } from '../http.ts';
import { pythonText } from '../ids.ts';
import { toNumber, toText } from '../neutron/addresses.ts';
import { badRequest, invalidField } from './faults.ts';

/** The address under which a server says it is reached, in its shortest form; '' if none is said. */
export function accessAddressOf(input: Json, version: 4 | 6): string {
  const name = `accessIPv${version}`;
  const value = input[name] ?? '';
  if (value === '') return '';
  if (typeof value === 'string' && isIP(value) === version) return toText(toNumber(value), version);
  throw invalidField(name, value, `${pythonText(value)} is not a 'ipv${version}'`);
}

export function diskConfigOf(input: Json): { disk_config?: string } {
  const value = input['OS-DCF:diskConfig'];
  if (value === undefined) return {};
  if (value === 'AUTO' || value === 'MANUAL') return { disk_config: value };
  throw invalidField('OS-DCF:diskConfig', value, `${pythonText(value)} is not one of ['AUTO', 'MANUAL']`);
}

/** The group of the scheduler hints, if they name one. */
export function serverGroupOf(cloud: Cloud, { body, caller }: Call): string | undefined {
  const hints = body['os:scheduler_hints'] ?? body['OS-SCH-HNT:scheduler_hints'];
  const id = isObject(hints) ? hints.group : undefined;
  if (id === undefined) return undefined;
  const group = cloud.serverGroups.get(String(id));
  if (group?.project_id === caller.projectId) return group.id;
  throw badRequest(`Instance group ${String(id)} could not be found.`);
}
