// The shape of a new server's request, checked as Nova's JSON schema does before anything is looked up.

import { isIP } from 'node:net';
import { isObject, type Json } from '../http.ts';
import { isUuid, pythonText } from '../ids.ts';
import { badRequest, invalidField } from './faults.ts';

type Check = (value: unknown, name: string, minor: number) => void;

/** Throws Nova's 400 for the first property that has not the right form. */
export function checkServerSchema(input: Json, minor: number): void {
  for (const [name, check] of Object.entries(CHECKS)) {
    if (input[name] !== undefined) check(input[name], name, minor);
  }
}

const refuse = (name: string, value: unknown, reason: string) =>
  invalidField(name, value, `${pythonText(value)} ${reason}`);

const text: Check = (value, name) => {
  if (typeof value !== 'string') throw refuse(name, value, "is not of type 'string'");
};

const nonEmpty: Check = (value, name) => {
  if (value === '') throw refuse(name, value, 'is too short');
};

const WORDS = ['True', 'TRUE', 'true', '1', 'ON', 'On', 'on', 'YES', 'Yes', 'yes', 'y', 't'];
const OPPOSITES = ['False', 'FALSE', 'false', '0', 'OFF', 'Off', 'off', 'NO', 'No', 'no', 'n', 'f'];
const BOOLEANS: readonly unknown[] = [true, ...WORDS, false, ...OPPOSITES];

const boolean: Check = (value, name) => {
  if (!BOOLEANS.includes(value)) throw refuse(name, value, `is not one of ${pythonText(BOOLEANS)}`);
};

const count: Check = (value, name) => {
  if (typeof value === 'string' && !/^[0-9]*$/.test(value))
    throw refuse(name, value, "does not match '^[0-9]*$'");
};

const base64: Check = (value, name) => {
  text(value, name, 0);
  const isRight = /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(String(value));
  if (!isRight) throw refuse(name, value, "is not a 'base64'");
  if (String(value).length > 65_535) throw refuse(name, value, 'is too long');
};

const shortText: Check = (value, name) => {
  if (typeof value === 'string' && value.length > 255) throw refuse(name, value, 'is too long');
};

const HOSTNAME = /^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$/;

export const checkHostname: Check = (value, name) => {
  text(value, name, 0);
  if (String(value).length < 2) throw refuse(name, value, 'is too short');
  if (!HOSTNAME.test(String(value))) throw refuse(name, value, `does not match '${HOSTNAME.source}'`);
};

const METADATA_KEY = '^[a-zA-Z0-9-_:. ]{1,255}$';

const metadata: Check = (value, name) => {
  if (!isObject(value)) return;
  const wrong = Object.keys(value).find((key) => !/^[a-zA-Z0-9-_:. ]{1,255}$/.test(key));
  if (wrong === undefined) return;
  const reason = `${pythonText(wrong)} does not match any of the regexes: '${METADATA_KEY}'`;
  throw invalidField(name, value, reason);
};

const networks: Check = (value, name, minor) => {
  if (minor >= 37 && (value === 'auto' || value === 'none')) return;
  if (!Array.isArray(value)) {
    throw refuse(
      name,
      value,
      minor < 37 ? "is not of type 'array'" : 'is not valid under any of the given schemas',
    );
  }
  const hasTag = (minor >= 32 && minor <= 36) || minor >= 42;
  const allowed = ['uuid', 'port', 'fixed_ip', ...(hasTag ? ['tag'] : [])];
  for (const [index, entry] of value.entries()) {
    if (!isObject(entry)) continue;
    refuseExtra(String(index), entry, allowed);
    if (entry.fixed_ip !== undefined && isIP(String(entry.fixed_ip)) === 0) {
      throw refuse('fixed_ip', entry.fixed_ip, 'is not valid under any of the given schemas');
    }
    if (entry.uuid !== undefined && !isUuid(entry.uuid) && minor < 37) {
      throw badRequest(`Bad networks format: network uuid is not in proper format (${String(entry.uuid)})`);
    }
  }
};

const groups: Check = (value) => {
  if (!Array.isArray(value)) return;
  const at = value.findIndex((entry) => !isObject(entry));
  if (at >= 0) throw refuse(String(at), value[at], "is not of type 'object'");
};

const SOURCES = ['volume', 'image', 'snapshot', 'blank'];
const DEVICE_FIELDS = [
  ...['virtual_name', 'volume_id', 'snapshot_id', 'volume_size', 'device_name', 'delete_on_termination'],
  ...['no_device', 'connection_info', 'boot_index', 'uuid', 'source_type', 'destination_type'],
  ...['guest_format', 'device_type', 'disk_bus', 'image_id', 'tag', 'volume_type'],
];

const devices: Check = (value, name) => {
  if (!Array.isArray(value)) throw refuse(name, value, "is not of type 'array'");
  for (const [index, entry] of value.entries()) {
    if (!isObject(entry)) throw refuse(String(index), entry, "is not of type 'object'");
    refuseExtra(String(index), entry, DEVICE_FIELDS);
    const source = entry.source_type;
    if (source !== undefined && !SOURCES.includes(String(source))) {
      throw refuse('source_type', source, `is not one of ${pythonText(SOURCES)}`);
    }
  }
};

function refuseExtra(name: string, entry: Json, allowed: readonly string[]): void {
  const extra = Object.keys(entry).find((key) => !allowed.includes(key));
  if (extra === undefined) return;
  throw invalidField(name, entry, `Additional properties are not allowed ('${extra}' was unexpected)`);
}

const CHECKS: Readonly<Record<string, Check>> = {
  flavorRef: nonEmpty,
  key_name: nonEmpty,
  adminPass: text,
  availability_zone: text,
  description: shortText,
  hostname: checkHostname,
  user_data: base64,
  config_drive: boolean,
  return_reservation_id: boolean,
  min_count: count,
  max_count: count,
  metadata,
  networks,
  security_groups: groups,
  block_device_mapping_v2: devices,
};
