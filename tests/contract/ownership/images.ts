import { connect } from '#common/rpc-client.ts';
import {
  CreateImageRequest,
  type ImagesServiceServer,
  ImagesServiceService,
} from '#proto/pucp/openstack/v1/images_service.ts';
import { examplesOf } from '../ownership-examples.ts';

export const examples = examplesOf<ImagesServiceServer>(ImagesServiceService, {
  async make(contract, { options }) {
    const client = connect<ImagesServiceServer>(ImagesServiceService, contract.url);
    try {
      const chunk = Buffer.from('a disk');
      const image = { name: contract.name('image'), diskFormat: 'raw', contentLength: chunk.length, chunk };
      async function* pieces() {
        yield CreateImageRequest.fromPartial(image);
      }
      let id = '';
      for await (const answer of client.createImage(pieces(), options)) id = answer.image?.id ?? id;
      return { image: id };
    } finally {
      client.close();
    }
  },

  named: ({ project: projectId = '', image = '' }) => ({
    getImage: { id: image },
    createImage: { name: 'x', diskFormat: 'raw', projectId, contentLength: 1, chunk: Buffer.from('x') },
    updateImage: { id: image, name: 'changed' },
    listImageMembers: { id: image },
    addImageMember: { id: image, projectId },
    updateImageMember: { id: image, projectId, status: 'accepted' },
    removeImageMember: { id: image, projectId },
    listImageShares: { projectId },
    deleteImage: { id: image },
  }),
  nameless: {},
});
