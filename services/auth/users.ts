// What an account may look like: names, passwords, e-mail addresses, and roles between the contract, the tokens and the
// database.

import type { CallerRole } from '#common/caller.ts';
import type { FieldViolation } from '#common/errors.ts';
import type { RegisterRequest } from '#proto/pucp/auth/v1/auth_service.ts';
import { Role } from '#proto/pucp/auth/v1/user.ts';

const ROLES = {
  admin: Role.ADMIN,
  professor: Role.PROFESSOR,
  student: Role.STUDENT,
  guest: Role.GUEST,
} as const satisfies Record<CallerRole, Role>;

/** The contract's word for a role of ours. */
export function protoRole(role: CallerRole): Role {
  return ROLES[role];
}

/** Our word for a role of the contract; none for ROLE_UNSPECIFIED. */
export function callerRole(role: Role): CallerRole | undefined {
  return (Object.keys(ROLES) as CallerRole[]).find((name) => ROLES[name] === role);
}

/** The one spelling of a name, or nothing if nobody can have it. */
export function canonicalUsername(username: string): string | undefined {
  return USERNAME.test(username) ? username.toLowerCase() : undefined;
}

const USERNAME = /^[A-Za-z0-9._-]{3,64}$/;
// Whether the address exists only a mail tells; this catches slips. RFC 5321 section 4.5.3.1.3 allows 254 characters.
const EMAIL = /^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+\.[^\s@\p{Cc}]+$/u;
const EMAIL_CHARACTERS = 254;
const PASSWORD_CHARACTERS = 256;

/** Every mistake in a registration at once; empty if there is none. */
export function registrationMistakes(request: RegisterRequest): FieldViolation[] {
  const mistakes: FieldViolation[] = [];
  if (canonicalUsername(request.username) === undefined) {
    mistakes.push({
      field: 'username',
      message: 'must be 3 to 64 letters, digits, dots, dashes or underscores',
    });
  }
  const password = passwordMistake(request.password);
  if (password) mistakes.push({ field: 'password', message: password });
  if (request.email.length > EMAIL_CHARACTERS || !EMAIL.test(request.email)) {
    mistakes.push({ field: 'email', message: 'must be an e-mail address such as ana@pucp.edu.pe' });
  }
  const role = request.role ?? Role.UNSPECIFIED;
  if (role !== Role.UNSPECIFIED && role !== Role.STUDENT) {
    const message = 'cannot be chosen: everyone begins as student, and an admin gives other roles';
    mistakes.push({ field: 'role', message });
  }
  return mistakes;
}

/** What is wrong with a new password, if anything. */
export function passwordMistake(password: string): string | undefined {
  if (password.length > PASSWORD_CHARACTERS) return `must have at most ${PASSWORD_CHARACTERS} characters`;
  if (password.length >= 6 && /\p{L}/u.test(password) && /\p{Nd}/u.test(password)) return undefined;
  return 'must have at least 6 characters with a letter and a digit';
}
