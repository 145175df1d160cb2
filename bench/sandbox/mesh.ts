// The whole mesh on a sandbox that takes no time and has room for everything.

import { readFileSync } from 'node:fs';
import { type Api, signIn } from '../../tests/support/api.ts';
import { removeMesh, startMesh } from '../../tests/support/mesh.ts';
import type { Administrator } from '../../tests/support/openstack.ts';

const QUOTAS = 'instances,cores,ram,networks,subnets,ports,routers,floating_ips,volumes,gigabytes';
const PROCESSES = ['gateway', 'auth', 'slice', 'openstack', 'sandbox'] as const;

/** CPU seconds that a process has used so far, and the most memory it has held, in MiB. */
export type Use = { readonly cpuS: number; readonly peakMib: number };

export type PlentyMesh = {
  readonly administrator: Administrator;
  readonly user: Api;
  use(): Promise<Record<(typeof PROCESSES)[number], Use>>;
  close(): Promise<void>;
};

export async function startPlentyMesh(): Promise<PlentyMesh> {
  const clouds = Object.keys(process.env).filter((name) => /^(OS|OPENSTACK)_/.test(name));
  const mesh = await startMesh({
    env: {
      // A real cloud in the environment is not meant.
      ...Object.fromEntries(clouds.map((name) => [name, ''])),
      ...{ SANDBOX_HYPERVISORS: '500', SANDBOX_BUILD_MS: '0', RATE_LIMIT_PER_MINUTE: '0' },
      ...{ MAX_VMS_PER_SLICE: '1000', MAX_VCPUS_PER_USER: '1000000' },
      ...{ MAX_RAM_PER_USER: '1000000000', MAX_DISK_PER_USER: '1000000' },
      OPENSTACK_QUOTAS: QUOTAS.split(',')
        .map((name) => `${name}=-1`)
        .join(','),
    },
  });
  const authUrl = `http://127.0.0.1:${mesh.ports.SANDBOX_PORT}/identity/v3`;
  return {
    administrator: { authUrl, name: 'admin', password: 'sandbox' },
    user: await signIn(mesh.gateway, 'testuser', 'testpass123'),
    async use() {
      const uses = await Promise.all(
        PROCESSES.map(async (name) => [name, useOf(await mesh.pidOf(name))] as const),
      );
      return Object.fromEntries(uses) as Record<(typeof PROCESSES)[number], Use>;
    },
    close: () => removeMesh(mesh),
  };
}

// Linux counts in hundredths of a second: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
function useOf(pid: number): Use {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const [, peakKib = '0'] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return { cpuS: (Number(fields[11]) + Number(fields[12])) / 100, peakMib: Number(peakKib) / 1024 };
}
