// Whether a plan fits into its project's quotas, beside what is used and what other slices were promised.

import { Failure } from '#common/errors.ts';
import type { QuotaUse } from '#proto/pucp/slice/v1/plan.ts';

/** What people read for the names of amounts, and the unit they are counted in. */
const WORDS: Readonly<Record<string, { readonly what: string; readonly unit?: string }>> = {
  vcpus: { what: 'vCPUs' },
  ram: { what: 'RAM', unit: ' MiB' },
  floating_ips: { what: 'floating IPs' },
  security_groups: { what: 'security groups' },
  security_group_rules: { what: 'security group rules' },
  volume_gigabytes: { what: 'volumes', unit: ' GiB' },
};

/** Throws RESOURCE_EXHAUSTED with every number that does not fit. */
export function refuseOverfull(quotas: readonly QuotaUse[]): void {
  const over = quotas.filter(
    ({ needed, used, reserved, limit }) => limit >= 0 && needed > 0 && used + reserved + needed > limit,
  );
  if (over.length === 0) return;
  throw new Failure({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'QUOTA_EXCEEDED',
    message: `The slice does not fit into the quotas of its project (${over.map(sentence).join('; ')}): delete what is no longer needed, ask for a smaller slice, or have an admin raise the quotas`,
    metadata: Object.fromEntries(
      over.flatMap(({ name, needed, used, reserved, limit }) => [
        [`${name}_needed`, String(needed)],
        [`${name}_used`, String(used)],
        [`${name}_reserved`, String(reserved)],
        [`${name}_limit`, String(limit)],
      ]),
    ),
    // Trying again does not help before someone acts.
    retryable: false,
  });
}

function sentence({ name, needed, used, reserved, limit }: QuotaUse): string {
  const { what = name, unit = '' } = WORDS[name] ?? {};
  const promised = reserved > 0 ? ` and ${reserved}${unit} promised to other slices` : '';
  return `${what}: ${needed}${unit} needed, ${used} of ${limit}${unit} used${promised}`;
}
