// The README's walk, copied from the README and run, so that it cannot rot.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { type Mesh, removeMesh, startMesh, until } from '../support/mesh.ts';

const ROOT = resolve(import.meta.dirname, '../..');

type Answer = Record<string, unknown> & { readonly nodes?: { ip_address: string; status: string }[] };

test('every curl line of the README works on a fresh start, and leaves the walk’s slice nowhere', async () => {
  const mesh = await startMesh();
  try {
    const { code, text } = await bash(script(mesh));
    assert.equal(code, 0, text);
    assert.doesNotMatch(text, /"error":/, text);

    const token = await login(mesh);
    const ask = async (path: string): Promise<unknown> => {
      const response = await fetch(`${mesh.gateway}${path}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      return response.json();
    };
    const [, node] = /\[\{[^\n]*"ip_address":"(192\.168\.100\.\d+)"/.exec(text) ?? [];
    assert(node, `vm1 has an address of 192.168.100.0/24:\n${text}`);
    await until(
      () => ask('/api/slices') as Promise<unknown[]>,
      (slices) => slices.length === 0,
    );
    const servers = (await ask('/api/openstack/instances')) as Answer[];
    assert.deepEqual(
      servers.filter(({ instance_name }) => String(instance_name).includes('vm1')),
      [],
    );
    const networks = (await ask('/api/openstack/networks')) as Answer[];
    assert.deepEqual(
      networks.filter(({ network_name }) => /test-net|net1/.test(String(network_name))),
      [],
    );
  } finally {
    await removeMesh(mesh);
  }
});

function script(mesh: Mesh): string {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(/^```sh walk\n([\s\S]*?)^```/gm)].map(([, block]) => block ?? '');
  assert(blocks.length >= 4, 'the README has the walk');
  return blocks
    .join('\n')
    .replaceAll('localhost:5000', `localhost:${mesh.ports.GATEWAY_PORT}`)
    .replaceAll('localhost:5006', `localhost:${mesh.ports.OPENSTACK_PORT}`)
    .replaceAll('localhost:5090', `localhost:${mesh.ports.SANDBOX_PORT}`);
}

// `-e` ends at the first line that fails, and `curl` fails on an HTTP error by its configuration file.
async function bash(lines: string): Promise<{ code: number; text: string }> {
  const home = mkdtempSync(join(tmpdir(), 'pucp-walk-'));
  writeFileSync(join(home, '.curlrc'), 'fail-with-body\nsilent\nshow-error\n');
  const child = spawn('bash', ['-euo', 'pipefail', '-c', lines], {
    env: { ...process.env, HOME: home, CURL_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      text += chunk;
    });
  }
  const [code] = (await once(child, 'close')) as [number];
  rmSync(home, { recursive: true, force: true });
  return { code, text };
}

async function login(mesh: Mesh): Promise<string> {
  const response = await fetch(`${mesh.gateway}/api/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'testuser', password: 'testpass123' }),
  });
  return ((await response.json()) as { token: string }).token;
}
