// One OpenStack cloud: a set of clients per project over shared connections, breakers and versions.

import type { BreakerState } from '#common/breaker.ts';
import { Failure } from '#common/errors.ts';
import { type Cinder, createCinder } from './cinder.ts';
import { createGlance, type Glance } from './glance.ts';
import { createKeystone, type Keystone } from './keystone.ts';
import { createVersionMemory } from './microversions.ts';
import { createNeutron, type Neutron } from './neutron.ts';
import { createNewborns } from './newborns.ts';
import { createNova, type Nova } from './nova.ts';
import { path } from './path.ts';
import { createServiceClient } from './request.ts';
import { createSession, type Scope } from './session.ts';
import {
  type CallContext,
  type CallRecord,
  type CloudSettings,
  SERVICES,
  type ServiceName,
} from './settings.ts';
import { createWire, type WireDeps } from './wire.ts';

export type ProjectClients = {
  readonly keystone: Keystone;
  readonly nova: Nova;
  readonly neutron: Neutron;
  readonly glance: Glance;
  readonly cinder: Cinder;
  /** The project the tokens are scoped to; asks Keystone for a token if there is none yet. */
  projectId(context: CallContext): Promise<string>;
  /** Who the tokens of this project stand for. */
  identity(context: CallContext): Promise<Identity>;
};

export type Identity = {
  readonly userId: string;
  /** Names of the roles in this project. */
  readonly roles: readonly string[];
  /** The domain of the project, where new projects go. */
  readonly domainId: string | undefined;
};

export type ServiceHealth = {
  readonly service: ServiceName;
  readonly ok: boolean;
  readonly ms: number;
  readonly breaker: BreakerState;
  /** Why it is not ok. */
  readonly error?: Failure | undefined;
};

export type Cloud = {
  /** Clients whose token is scoped to the project, the domain or the system; made once and kept. */
  project(scope: Scope): ProjectClients;
  breakers(): Record<ServiceName, BreakerState>;
  /**
   * Tells of every request that may have changed something in the cloud, whatever came of it, before its caller goes on:
   * for those who keep what they have read.
   */
  onChange(listener: (change: CallRecord) => void): void;
  /** A token and one light GET of every service, side by side. Never rejects for a sick service. */
  ping(signal: AbortSignal): Promise<readonly ServiceHealth[]>;
  close(): void;
};

/** Projects whose tokens are kept; the one used longest ago goes first. */
const MAX_PROJECTS = 1_000;

export function createCloud(settings: CloudSettings, deps: WireDeps): Cloud {
  const listeners: ((change: CallRecord) => void)[] = [];
  const wire = createWire(settings, {
    ...deps,
    onCall(call) {
      deps.onCall?.(call);
      if (isChange(call)) for (const tell of listeners) tell(call);
    },
  });
  const closing = new AbortController();
  const versions = {
    keystone: createVersionMemory(),
    nova: createVersionMemory(),
    neutron: createVersionMemory(),
    glance: createVersionMemory(),
    cinder: createVersionMemory(),
  } satisfies Record<ServiceName, unknown>;
  const newborns = createNewborns();
  const projects = new Map<string, ProjectClients>();

  function createProject(scope: Scope): ProjectClients {
    const session = createSession({
      settings,
      scope,
      wire,
      closed: closing.signal,
      onToken: deps.onToken,
      isYoung: () =>
        scope !== 'home' && 'projectId' in scope && newborns.has(path`/projects/${scope.projectId}`),
    });
    const client = (service: ServiceName) =>
      createServiceClient({ service, settings, session, wire, versions: versions[service], newborns });
    return {
      keystone: createKeystone(client('keystone')),
      nova: createNova(client('nova')),
      neutron: createNeutron(client('neutron')),
      glance: createGlance(client('glance')),
      cinder: createCinder(client('cinder')),
      async projectId(context) {
        const { projectId } = await session.token(context);
        if (projectId === undefined) throw unscoped();
        return projectId;
      },
      async identity(context) {
        const { userId, roles, projectDomainId } = await session.token(context);
        return { userId, roles, domainId: projectDomainId };
      },
    };
  }

  function project(scope: Scope): ProjectClients {
    const key = scope === 'home' ? '' : JSON.stringify(scope);
    const clients = projects.get(key) ?? createProject(scope);
    projects.delete(key);
    projects.set(key, clients);
    const oldest = projects.keys().next().value;
    if (projects.size > MAX_PROJECTS && oldest !== undefined) projects.delete(oldest);
    return clients;
  }

  async function probe(service: ServiceName, signal: AbortSignal): Promise<ServiceHealth> {
    const startedAt = performance.now();
    let error: Failure | undefined;
    try {
      await project('home')[service].ping({ signal });
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      error = cause;
    }
    const ms = Math.round(performance.now() - startedAt);
    return { service, ok: error === undefined, ms, breaker: wire.breakers()[service], error };
  }

  return {
    project,
    breakers: wire.breakers,
    onChange: (listener) => listeners.push(listener),
    ping: (signal) => Promise.all(SERVICES.map((service) => probe(service, signal))),
    close() {
      closing.abort();
      projects.clear();
      wire.close();
    },
  };
}

function isChange({ method, route }: CallRecord): boolean {
  return method !== 'GET' && method !== 'HEAD' && route !== '/auth/tokens';
}

function unscoped(): Failure {
  return new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'PROJECT_MISSING',
    message:
      'The configured OpenStack credentials name no project; an operator must set OPENSTACK_PROJECT_NAME',
    retryable: false,
  });
}
