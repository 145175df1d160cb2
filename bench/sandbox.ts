// How fast the sandbox lists, pages and filters a thousand servers and their ports, beside a bare node:http server that
// answers the same bytes, both in processes of their own and in turn in the same run.

import { Agent, get } from 'node:http';
import { freePorts } from '../scripts/ports.ts';
import { startFixedServer } from './openstack-client/server.ts';
import { median, record } from './record.ts';
import { type FullCloud, startFullCloud } from './sandbox/cloud.ts';

const SERVERS = 1000;
const ROUNDS = 7;
const ROUND_MS = 250;
const AT_ONCE = 4;

type Round = { readonly perSecond: number; readonly latenciesMs: number[] };

const COMPUTE = '/compute/v2.1';
const NETWORK = '/networking/v2.0';

async function casesOf(cloud: FullCloud): Promise<Record<string, string>> {
  const { servers } = JSON.parse(
    (await fetchBytes(`${cloud.url}${COMPUTE}/servers`, cloud.token)).toString(),
  );
  const id = (index: number): string => servers[index].id;
  return {
    'all servers, brief': `${COMPUTE}/servers`,
    'all servers, detailed': `${COMPUTE}/servers/detail`,
    'first page of 50, detailed': `${COMPUTE}/servers/detail?limit=50`,
    'a page of 50 in the middle, detailed': `${COMPUTE}/servers/detail?limit=50&marker=${id(SERVERS / 2)}`,
    'page of 50, sorted by name': `${COMPUTE}/servers?limit=50&sort_key=display_name&sort_dir=asc`,
    'servers by name': `${COMPUTE}/servers/detail?name=web-7-`,
    'servers by status, none': `${COMPUTE}/servers/detail?status=ERROR`,
    'servers by tag': `${COMPUTE}/servers/detail?tags=batch-7`,
    'servers by address': `${COMPUTE}/servers?ip=10.0.0.7`,
    'one server': `${COMPUTE}/servers/${id(7)}`,
    'all ports': `${NETWORK}/ports`,
    'page of 50 ports': `${NETWORK}/ports?limit=50`,
    'ports of one server': `${NETWORK}/ports?device_id=${id(7)}`,
    'ports of the network, three fields': `${NETWORK}/ports?network_id=${cloud.networkId}&fields=id&fields=device_id&fields=fixed_ips`,
    'ports by state, none': `${NETWORK}/ports?status=ERROR`,
  };
}

const agent = new Agent({ keepAlive: true });

function fetchBytes(url: string, token: string): Promise<Buffer> {
  const headers = {
    ...{ 'x-auth-token': token, 'x-openstack-nova-api-version': '2.93' },
    accept: 'application/json',
  };
  return new Promise((resolve, reject) => {
    get(url, { agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve(Buffer.concat(chunks)));
    }).on('error', reject);
  });
}

async function runRound(url: string, token: string, bytes: number): Promise<Round> {
  const latenciesMs: number[] = [];
  const startedAt = performance.now();
  const worker = async () => {
    while (performance.now() - startedAt < ROUND_MS) {
      const sentAt = performance.now();
      const { length } = await fetchBytes(url, token);
      if (length !== bytes) throw new Error(`${url} answered ${length} bytes instead of ${bytes}`);
      latenciesMs.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return { perSecond: latenciesMs.length / ((performance.now() - startedAt) / 1000), latenciesMs };
}

function quantile(rounds: readonly Round[], share: number): number {
  const sorted = rounds.flatMap(({ latenciesMs }) => latenciesMs).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

async function measure(cloud: FullCloud, path: string) {
  const body = await fetchBytes(cloud.url + path, cloud.token);
  const [port = 0] = await freePorts(1);
  const bare = await startFixedServer(port, { '/': JSON.parse(body.toString()) });
  const rounds = { sandbox: [] as Round[], bare: [] as Round[] };
  try {
    for (let round = -1; round < ROUNDS; round += 1) {
      const order = round % 2 === 0 ? (['sandbox', 'bare'] as const) : (['bare', 'sandbox'] as const);
      for (const name of order) {
        const url = name === 'bare' ? `${bare.url}/` : cloud.url + path;
        const result = await runRound(url, cloud.token, body.length);
        if (round >= 0) rounds[name].push(result);
      }
    }
  } finally {
    await bare.close();
  }
  const { sandbox } = rounds;
  const perSecond = ({ perSecond: rate }: Round) => rate;
  return {
    kib: body.length / 1024,
    requests_per_second: median(sandbox.map(perSecond)),
    rate_to_bare: median(
      sandbox.map((own, at) => own.perSecond / (rounds.bare[at]?.perSecond ?? Number.NaN)),
    ),
    p50_ms: quantile(sandbox, 0.5),
    p50_to_bare: quantile(sandbox, 0.5) / quantile(rounds.bare, 0.5),
    p99_ms: quantile(sandbox, 0.99),
    p99_to_bare: quantile(sandbox, 0.99) / quantile(rounds.bare, 0.99),
  };
}

const cloud = await startFullCloud(SERVERS);
try {
  const results: Record<string, unknown> = {};
  for (const [name, path] of Object.entries(await casesOf(cloud))) {
    results[name] = await measure(cloud, path);
  }
  record('sandbox', {
    what: `${SERVERS} servers with a port each; ${AT_ONCE} requests at once, median of ${ROUNDS} rounds of ${ROUND_MS} ms in turn with a bare node:http server that answers the same bytes`,
    memory_mib: (await cloud.memoryKib()) / 1024,
    requests: results,
  });
} finally {
  await cloud.close();
  agent.destroy();
}
