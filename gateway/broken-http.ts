// What is no HTTP, or too much of it, never becomes a request. It is answered in the same shape on the bare socket.

import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { errorReply, HttpFailure } from './errors.ts';

// Codes of Node's parser and server: https://nodejs.org/api/http.html#event-clienterror
const KNOWN: Readonly<Record<string, readonly [status: number, reason: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'HEADERS_TOO_LARGE', 'The headers or the address are too long'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'REQUEST_TIMEOUT', 'The request took too long to arrive'],
};

/** For Fastify's `clientErrorHandler`. */
export function answerBrokenHttp(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, reason, message] = KNOWN[error.code ?? ''] ?? [
    400,
    'MALFORMED_HTTP',
    'This is not well-formed HTTP',
  ];
  const requestId = randomUUID();
  const failure = new HttpFailure(status, { code: 'INVALID_ARGUMENT', reason, message });
  const body = JSON.stringify(errorReply(failure, requestId).body);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
