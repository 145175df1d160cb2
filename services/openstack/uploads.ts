// Uploads that this installation began and nobody will end: a process was killed between making an image and filling it, or
// Glance did not answer when it was to be removed.

import type { Cloud } from './api/cloud.ts';
import { absentIsDone } from './api/errors.ts';
import type { CallContext } from './api/settings.ts';
import { imageMarkOf } from './marks.ts';
import type { Tenancy } from './tenancy.ts';

/** Every image that is made by upload bears it; snapshots, which wait for long as well, do not. */
export const UPLOAD_TAG = 'pucp-upload';

/** An image waits for its data for less than a second; broken ones go back to waiting. */
const ABANDONED_MS = 600_000;

export type UploadsOptions = {
  readonly cloud: Cloud;
  readonly tenancy: Pick<Tenancy, 'ownerMark'>;
  readonly now?: () => number;
};

export type UploadSweeper = {
  /** Removes images that have waited for their data for ten minutes. Answers how many; looks every ten minutes at most. */
  sweep(context: CallContext): Promise<number>;
};

export function createUploadSweeper({ cloud, tenancy, now = Date.now }: UploadsOptions): UploadSweeper {
  const { glance } = cloud.project('home');
  let nextMs = now() + ABANDONED_MS;
  return {
    async sweep(context) {
      if (now() < nextMs) return 0;
      nextMs = now() + ABANDONED_MS;
      const installation = await tenancy.ownerMark({ userId: '' });
      const waiting = await glance.listImages({ status: 'queued', tag: UPLOAD_TAG }, context);
      const abandoned = waiting.filter((image) => {
        const isOurs = imageMarkOf(image)?.startsWith(installation);
        return isOurs && now() - Date.parse(image.updated_at) > ABANDONED_MS;
      });
      for (const { id } of abandoned) await absentIsDone(glance.deleteImage(id, context));
      return abandoned.length;
    },
  };
}
