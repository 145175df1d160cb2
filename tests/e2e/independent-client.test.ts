// A gRPC client that no one here wrote (Python's, from Debian's packages) finds, checks and calls the slice service.

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { signIn, slice } from '../support/api.ts';
import { removeMesh, startMesh, until } from '../support/mesh.ts';

const PYTHON = '/usr/bin/python3';

function missing(): string | false {
  try {
    execFileSync(PYTHON, ['-c', 'import grpc, google.protobuf'], { stdio: 'ignore' });
    return false;
  } catch {
    return `${PYTHON} has no grpc module: install python3-grpcio and python3-protobuf to run this`;
  }
}

test('an independent gRPC client lists services by reflection, passes the health check and calls with a token', {
  skip: missing(),
}, async () => {
  const mesh = await startMesh();
  try {
    const user = await signIn(mesh.gateway, 'testuser', 'testpass123');
    const { id } = await user.json('POST', '/api/slices', { ...slice('seen-from-python'), deploy: false });
    await until(
      () => user.list('GET', '/api/slices'),
      (slices) => slices.length === 1,
    );
    const script = join(import.meta.dirname, 'independent_client.py');
    const run = promisify(execFile);
    const { stdout } = await run(PYTHON, [script, `127.0.0.1:${mesh.ports.SLICE_PORT}`, user.token]);
    const seen = JSON.parse(stdout);
    assert(seen.services.includes('pucp.slice.v1.SliceService'), stdout);
    assert.equal(seen.health, 1, 'SERVING');
    assert.equal(seen.refused, 'UNAUTHENTICATED');
    assert.equal(seen.answer.slices[0].id, id);
    assert.equal(seen.answer.slices[0].status, 'SLICE_STATE_DRAFT');
  } finally {
    await removeMesh(mesh);
  }
});
