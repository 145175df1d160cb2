// How what belongs together is found again: a marker that the creating call itself sets, and a filter that lists everything
// with that marker in one call per kind. Found out by experiment on Zed (Nova 26, Neutron 21, Cinder 21, Keystone 22):
//
//   kind             marker set at creation in     listed by                        bulk creation   does not work
//   network          description                   ?description=<marker>, exact     yes, atomic     `tags` in the body: 400
//   subnet           description                   the same                         yes, atomic     the same
//   port             description                   the same                         yes, atomic     the same
//   security group   description                   the same                         yes, atomic     the same
//   router           description                   the same                         no: 400         the same
//   floating IP      description                   the same (it has no name)        no: 400         the same
//   server           tags (from 2.52)              ?tags=<a>,<b>, all of them       no: min_count   ?metadata=: ignored for
//                                                                                   returns one id  members, 400 for admins
//   volume           metadata                      ?metadata={"k":"v"}, all         no              ?description=: ignored
//                                                                                                   before 3.34, then 400
//   project          tags                          ?tags=<a>,<b>, all of them       no              -
//
// Neutron's own tags take a second call (PUT …/tags), between which and the first a crash would leave something unfound.
// Descriptions match as a whole, never by a part: the marker is all of the description, and what a resource is called
// within its slice goes into its name. A server's tags are kept sorted by Nova, at most 50 of 60 characters, without `/`
// and `,`. The port that a router gets for a subnet (add_router_interface) has no description: it is listed by
// `device_id` and `device_owner=network:router_interface`, any number of routers in one call, or made by us beforehand
// with a description and given as `port_id`. A volume that a server boots from, made by Nova, has no metadata.

import { Failure } from '#common/errors.ts';

/** What marks the resources of one owner, such as a slice: an identifier of our own, the same for all kinds. */
export type Marker = {
  /** What is written into descriptions and tags: `<prefix>:<owner id>`. */
  readonly text: string;
  /** The metadata of a volume. */
  readonly metadata: Readonly<Record<string, string>>;
};

/** The longest text that fits everywhere: a server's tag. */
const MAX_TAG = 60;

/** `createMarker('pucp-slice', id)`. Throws INVALID_ARGUMENT for what no tag can hold. */
export function createMarker(prefix: string, ownerId: string): Marker {
  const text = `${prefix}:${ownerId}`;
  if (text.length > MAX_TAG || !/^[\w.:@=-]+$/.test(text)) {
    throw new Failure({
      code: 'INVALID_ARGUMENT',
      reason: 'MARKER_INVALID',
      message: `"${text}" cannot mark resources: letters, digits and _ . : @ = - only, at most ${MAX_TAG} characters`,
    });
  }
  return { text, metadata: { [prefix]: ownerId } };
}

/** Fields for the body of a new network, subnet, port, router, security group or floating IP. */
export function neutronMark(marker: Marker): { readonly description: string } {
  return { description: marker.text };
}

/** The filter that lists them, of one owner or of several. */
export function neutronFilter(...markers: readonly Marker[]): { readonly description: readonly string[] } {
  return { description: markers.map((one) => one.text) };
}

/** Fields for the body of a new server. Further tags may stand beside the marker. */
export function serverMark(marker: Marker): { readonly tags: readonly string[] } {
  return { tags: [marker.text] };
}

/** The filter that lists them. */
export function serverFilter(marker: Marker): { readonly tags: readonly string[] } {
  return { tags: [marker.text] };
}

/** Fields for the body of a new volume. */
export function volumeMark(marker: Marker): { readonly metadata: Readonly<Record<string, string>> } {
  return { metadata: marker.metadata };
}

/** The filter that lists them. */
export function volumeFilter(marker: Marker): { readonly metadata: Readonly<Record<string, string>> } {
  return { metadata: marker.metadata };
}

/**
 * Whose a listed resource is, read from its description, tags or metadata; undefined if it is not marked. A user's own
 * words may stand in the description behind the marker and a space.
 */
export function ownerOf(
  prefix: string,
  resource: {
    readonly description?: string | null;
    readonly tags?: readonly string[];
    readonly metadata?: Readonly<Record<string, string>>;
  },
): string | undefined {
  const texts = [resource.description ?? '', ...(resource.tags ?? [])];
  const marked = texts.find((text) => text.startsWith(`${prefix}:`));
  return marked?.slice(prefix.length + 1).split(' ', 1)[0] ?? resource.metadata?.[prefix];
}
