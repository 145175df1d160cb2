// How what the typed rpcs make says whose it is and which slice it is listed under. Slices that are deployed bear the
// driver's own mark, by which they are found and removed as a whole; what a user adds by hand never bears that one.

import { createMarker, ownerOf, serverMark, volumeMark } from './api/tagging.ts';

/** The driver's mark of a deployed slice. */
export const SLICE_MARK = 'pucp-slice';
/** The mark of whoever asked for a thing. */
export const OWNER_MARK = 'pucp-owner';
// Where a user's own word for a slice lies: metadata of servers and volumes, a tag of networks.
const SLICE_KEY = 'slice_id';
const TYPE_KEY = 'network_type';

export type Marked = {
  readonly description?: string | null;
  readonly tags?: readonly string[];
  readonly metadata?: Readonly<Record<string, string>>;
};

/** The slice a thing is listed under, empty if none. */
export function sliceOf(thing: Marked): string {
  const tag = thing.tags?.find((one) => one.startsWith(`${SLICE_KEY}:`));
  return ownerOf(SLICE_MARK, thing) ?? thing.metadata?.[SLICE_KEY] ?? tag?.slice(SLICE_KEY.length + 1) ?? '';
}

/** The mark of its owner; undefined if it bears none. */
export function ownerMarkOf(thing: Marked): string | undefined {
  return ownerOf(OWNER_MARK, thing);
}

/** The same of an image, which has its properties beside Glance's own fields. */
export function imageMarkOf(image: object): string | undefined {
  const mark: unknown = Reflect.get(image, OWNER_MARK);
  return typeof mark === 'string' && mark !== '' ? mark : undefined;
}

/** Whether it belongs to a deployed slice as a whole. */
export function deployedSliceOf(thing: Marked): string | undefined {
  return ownerOf(SLICE_MARK, thing);
}

type Labels = { readonly ownerMark: string; readonly sliceId: string };

export function serverLabels({ ownerMark, sliceId }: Labels) {
  const metadata: Record<string, string> = { created_by: 'pucp-orchestrator' };
  if (sliceId !== '') metadata[SLICE_KEY] = sliceId;
  return { ...serverMark(createMarker(OWNER_MARK, ownerMark)), metadata };
}

export function volumeLabels({ ownerMark, sliceId }: Labels) {
  const { metadata } = volumeMark(createMarker(OWNER_MARK, ownerMark));
  return { metadata: sliceId === '' ? metadata : { ...metadata, [SLICE_KEY]: sliceId } };
}

/** A network's tags come by a second call; the owner's mark is its description, which the first one sets. */
export function networkTags({ sliceId, networkType }: { sliceId: string; networkType: string }): string[] {
  return [
    ...(sliceId === '' ? [] : [`${SLICE_KEY}:${sliceId}`]),
    ...(networkType === '' ? [] : [`${TYPE_KEY}:${networkType}`]),
  ];
}

/** Fit for tags of Neutron (60 characters), and for Keystone's and Nova's. */
export function isSliceId(text: string): boolean {
  return /^[\w.-]{1,40}$/.test(text);
}
