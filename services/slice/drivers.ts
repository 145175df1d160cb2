// Which driver serves which infrastructure, and how the slice service shows itself to one.

import type { Identity, User } from '#common/caller.ts';
import { Failure } from '#common/errors.ts';
import { type Client, connect } from '#common/rpc-client.ts';
import { type DriverServiceServer, DriverServiceService } from '#proto/pucp/driver/v1/driver_service.ts';
import { Infrastructure } from '#proto/pucp/slice/v1/slice.ts';

export type Driver = Client<DriverServiceServer>;

/** Infrastructures that one driver serves by itself, by the name that users write. */
export const SINGLE = { linux: Infrastructure.LINUX, openstack: Infrastructure.OPENSTACK } as const;
export type DriverName = keyof typeof SINGLE;

export type Drivers = {
  /** Throws FAILED_PRECONDITION with reason NO_DRIVER if nothing serves it. */
  of(infrastructure: Infrastructure): Driver;
  /** Those that are configured. */
  readonly configured: readonly { readonly name: DriverName; readonly driver: Driver }[];
  /** A token for one call on behalf of a user. */
  token(user: User): Promise<string>;
  close(): void;
};

/** How long a token for a driver lives. It is looked at when a call begins, not while it lasts. */
const TOKEN_TTL_S = 300;
const ACTOR = 'slice';

export function connectDrivers(
  urls: Readonly<Record<DriverName, string | undefined>>,
  identity: Pick<Identity, 'sign'>,
): Drivers {
  const configured = (['linux', 'openstack'] as const).flatMap((name) => {
    const url = urls[name];
    return url ? [{ name, driver: connect<DriverServiceServer>(DriverServiceService, url) }] : [];
  });
  return {
    configured,
    of(infrastructure) {
      const missing = neededFor(infrastructure).filter(
        (name) => !configured.some((one) => one.name === name),
      );
      if (missing.length > 0) throw noDriver(`no ${missing.join(' and no ')} driver is configured`);
      if (infrastructure === Infrastructure.HYBRID) {
        throw noDriver('no driver joins the networks of a hybrid slice across infrastructures');
      }
      const found = configured.find((one) => SINGLE[one.name] === infrastructure);
      if (!found) throw noDriver('the slice names no infrastructure');
      return found.driver;
    },
    token: (user) => identity.sign(user, { ttlS: TOKEN_TTL_S, actor: ACTOR }),
    close() {
      for (const { driver } of configured) driver.close();
    },
  };
}

function neededFor(infrastructure: Infrastructure): DriverName[] {
  switch (infrastructure) {
    case Infrastructure.LINUX:
      return ['linux'];
    case Infrastructure.OPENSTACK:
      return ['openstack'];
    case Infrastructure.HYBRID:
      return ['linux', 'openstack'];
    case Infrastructure.UNSPECIFIED:
      return [];
  }
}

function noDriver(why: string): Failure {
  return new Failure({
    code: 'FAILED_PRECONDITION',
    reason: 'NO_DRIVER',
    message: `Cannot place the slice: ${why}`,
  });
}
