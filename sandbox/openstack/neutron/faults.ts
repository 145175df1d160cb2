// Neutron's errors, with the type names that clients branch on.

import { Fault } from '../http.ts';

const WITHOUT_STOP = ['Router', 'FloatingIP'];

export const notFound = (className: string, id: unknown) =>
  className === 'SecurityGroup'
    ? new Fault(404, `Security group ${id} does not exist`, 'SecurityGroupNotFound')
    : className === 'SecurityGroupRule'
      ? new Fault(404, `Security group rule ${id} does not exist`, 'SecurityGroupRuleNotFound')
      : new Fault(
          404,
          `${words(className)} ${id} could not be found${WITHOUT_STOP.includes(className) ? '' : '.'}`,
          `${className}NotFound`,
        );

function words(className: string): string {
  if (className === 'FloatingIP') return 'Floating IP';
  return className;
}

export const badRequest = (message: string) => new Fault(400, message, 'HTTPBadRequest');
export const invalidInput = (message: string) =>
  new Fault(400, `Invalid input for operation: ${message}`, 'InvalidInput');
export const notAllowed = (rule: string) =>
  new Fault(403, `${rule} is disallowed by policy`, 'PolicyNotAuthorized');
export const overQuota = (resource: string) =>
  new Fault(409, `Quota exceeded for resources: ['${resource}'].`, 'OverQuota');
