// Password hashing: argon2id as PHC strings, so that parameters can be raised later without a migration. How many
// hashes may run at once is decided in turns.ts.

import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(argon2);

/** What one hash costs. */
export type HashCost = { readonly memoryKib: number; readonly passes: number; readonly parallelism: number };

// The OWASP minimum for argon2id: 19 MiB, two passes, one lane.
// https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id
export const COST: HashCost = { memoryKib: 19_456, passes: 2, parallelism: 1 };

const TAG_BYTES = 32;
const SALT_BYTES = 16;

/** Hashes a password as `$argon2id$v=19$m=…,t=…,p=…$salt$tag` with a salt of its own. */
export async function hashPassword(password: string, cost: HashCost = COST): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const tag = await tagOf(password, salt, cost, TAG_BYTES);
  return `$argon2id$v=19$m=${cost.memoryKib},t=${cost.passes},p=${cost.parallelism}$${bare(salt)}$${bare(tag)}`;
}

/**
 * Tells whether a password belongs to a hash. Without a hash (no such user, or no password set) it does the same work
 * and says no, so that the time an answer takes does not tell which names exist.
 */
export async function verifyPassword(password: string, phc: string | undefined): Promise<boolean> {
  const parsed = parse(phc ?? NOBODYS);
  const tag = await tagOf(password, parsed.salt, parsed.cost, parsed.tag.length);
  return timingSafeEqual(tag, parsed.tag) && phc !== undefined;
}

/** Whether a hash was made with another cost than is asked for now. */
export function needsRehash(phc: string, cost: HashCost = COST): boolean {
  const made = parse(phc).cost;
  return (
    made.memoryKib !== cost.memoryKib || made.passes !== cost.passes || made.parallelism !== cost.parallelism
  );
}

/** A password nobody can guess: 120 bits in letters that are easily told apart when typed from a terminal. */
export function randomPassword(): string {
  const letters = 'abcdefghijkmnpqrstuvwxyz23456789';
  const groups = Array.from({ length: 4 }, () =>
    Array.from(randomBytes(6), (byte) => letters.charAt(byte % letters.length)).join(''),
  );
  return groups.join('-');
}

// Its tag is no password's: 32 zero bytes.
const NOBODYS = `$argon2id$v=19$m=${COST.memoryKib},t=${COST.passes},p=${COST.parallelism}$${bare(Buffer.alloc(SALT_BYTES, 1))}$${bare(Buffer.alloc(TAG_BYTES))}`;

// Keyboards compose accents differently; NFKC makes them one (NIST SP 800-63B section 3.1.1.2).
function tagOf(password: string, salt: Buffer, cost: HashCost, tagLength: number): Promise<Buffer> {
  return derive('argon2id', {
    message: password.normalize('NFKC'),
    nonce: salt,
    memory: cost.memoryKib,
    passes: cost.passes,
    parallelism: cost.parallelism,
    tagLength,
  });
}

function parse(phc: string): { cost: HashCost; salt: Buffer; tag: Buffer } {
  const match = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(phc);
  if (!match) throw new Error('a stored password hash is not an argon2id PHC string');
  const [, memory, passes, lanes, salt = '', tag = ''] = match;
  return {
    cost: { memoryKib: Number(memory), passes: Number(passes), parallelism: Number(lanes) },
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  };
}

// PHC strings carry base64 without padding.
function bare(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
