// An image from bytes that are streamed: to Glance as they come, counted and summed on the way, never kept. Whatever goes
// wrong, no half image stays behind; what this process cannot remove itself is the janitor's (`uploads.ts`).

import { type FieldViolation, invalid } from '#common/errors.ts';
import type { Context, Handlers } from '#common/rpc-server.ts';
import type { CreateImageRequest, ImagesServiceServer } from '#proto/pucp/openstack/v1/images_service.ts';
import { CreateImageResponse } from '#proto/pucp/openstack/v1/images_service.ts';
import { absentIsDone } from '../api/errors.ts';
import type { Glance, Image } from '../api/glance.ts';
import type { CallContext } from '../api/settings.ts';
import { OWNER_MARK } from '../marks.ts';
import { UPLOAD_TAG } from '../uploads.ts';
import { callContext, type Deps } from './deps.ts';
import { checkFormats, checkHashes, checkImage, readProperties, requireVisibility } from './images-check.ts';
import { compareSums, createSums } from './images-sums.ts';
import { imageView } from './images-view.ts';

const PROGRESS_MS = 1_000;
const CLEAN_UP_MS = 30_000;

export function createImageHandler(deps: Deps): Handlers<ImagesServiceServer>['createImage'] {
  const { cloud, tenancy } = deps;
  return async function* createImage(requests, context) {
    const within = callContext(context);
    const source = requests[Symbol.asyncIterator]();
    const first = await source.next();
    if (first.done)
      throw invalid([{ field: 'name', message: 'is missing: the first message says what it is to be' }]);
    const request = first.value;
    const properties = check(request);
    const visibility = request.visibility === '' ? 'private' : request.visibility;
    requireVisibility(visibility, context);

    const { caller } = context;
    const place =
      request.projectId === ''
        ? await tenancy.place(caller, within)
        : await tenancy.named(caller, request.projectId, within);
    const { glance } = place.clients;
    const image = await glance.createImage(
      {
        ...properties,
        name: request.name,
        disk_format: request.diskFormat,
        container_format: request.containerFormat || 'bare',
        // Nobody else sees it before it has been found to be what it should.
        visibility: 'private',
        min_disk: request.minDisk,
        min_ram: request.minRam,
        tags: [UPLOAD_TAG],
        [OWNER_MARK]: await tenancy.ownerMark(caller),
      },
      within,
    );
    let isWhole = false;
    try {
      const sums = createSums(request);
      const answer = (sent: number) => ({ id: image.id, bytesSent: sent, bytesTotal: request.contentLength });
      yield CreateImageResponse.fromPartial(answer(0));
      const uploading = glance.uploadImage(image.id, sums.watch(chunksOf(request, source)), within);
      for await (const _ of every(PROGRESS_MS, uploading)) {
        yield CreateImageResponse.fromPartial(answer(sums.bytes()));
      }
      const held = await glance.getImage(image.id, within);
      compareSums(sums.values(), request, held);
      const shown = await show(visibility, held, within);
      isWhole = true;
      yield CreateImageResponse.fromPartial({
        ...answer(sums.bytes()),
        image: await imageView(deps, shown, context),
      });
    } finally {
      if (!isWhole) await remove(glance, image.id, context);
    }
  };

  // With an administrator's rights: a project's own token does not make images public.
  async function show(visibility: string, image: Image, within: CallContext): Promise<Image> {
    if (visibility === image.visibility) return image;
    const { glance } = cloud.project('home');
    return await glance.updateImage(
      image.id,
      [{ op: 'add', property: 'visibility', value: visibility }],
      within,
    );
  }
}

/** The properties asked for. Throws every mistake at once. */
function check(request: CreateImageRequest): Record<string, string> {
  const { visibility, contentLength } = request;
  const { entries, violations: inProperties } = readProperties(request.properties);
  const violations: FieldViolation[] = [
    ...checkImage({ ...request, visibility: visibility === '' ? undefined : visibility }),
    ...checkFormats(request),
    ...checkHashes(request),
    ...inProperties,
  ];
  if (!Number.isSafeInteger(contentLength) || contentLength < 0) {
    violations.push({ field: 'content_length', message: 'must be a whole number' });
  }
  if (violations.length > 0) throw invalid(violations);
  return Object.fromEntries(entries);
}

async function* chunksOf(
  first: CreateImageRequest,
  rest: AsyncIterator<CreateImageRequest>,
): AsyncGenerator<Uint8Array> {
  if (first.chunk.length > 0) yield first.chunk;
  for (let next = await rest.next(); !next.done; next = await rest.next()) {
    if (next.value.chunk.length > 0) yield next.value.chunk;
  }
}

/** Ticks until the work is done; fails as it fails. */
async function* every(ms: number, work: Promise<void>): AsyncGenerator<void> {
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  done.catch(() => {});
  for (;;) {
    let timer: NodeJS.Timeout | undefined;
    const tick = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([done, tick]).finally(() => clearTimeout(timer));
    if (isDone) return;
    yield;
  }
}

// The caller may have left, so the clean-up has time of its own.
async function remove(glance: Glance, id: string, { log, requestId }: Context): Promise<void> {
  try {
    await absentIsDone(glance.deleteImage(id, { requestId, signal: AbortSignal.timeout(CLEAN_UP_MS) }));
  } catch (cause) {
    log.warn({ cause, image_id: id }, 'a broken upload left an image behind; the janitor will look for it');
  }
}
