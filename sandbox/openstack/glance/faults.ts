// Glance's errors are WebOb pages: JSON for clients that accept JSON, HTML for the rest.

import { STATUS_CODES } from 'node:http';
import { Fault, type Reply } from '../http.ts';
import { webobReply } from '../service-auth.ts';

export const badRequest = (message: string) => new Fault(400, message);
export const forbidden = (message: string) => new Fault(403, message);
export const conflict = (message: string) => new Fault(409, message);
export const noImage = (id: unknown) => new Fault(404, `No image found with ID ${id}`);

export function glanceFaultReply(fault: Fault, accept: string): Reply {
  return webobReply(fault.status, STATUS_CODES[fault.status] ?? 'Error', fault.message, accept);
}
