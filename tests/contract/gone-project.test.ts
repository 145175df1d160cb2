// A slice whose Keystone project somebody has removed: OpenStack keeps what was in it, and so it is still the slice's to
// remove, or to replace.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compileSpec } from '#engine/spec/compile.ts';
import { Power } from '#proto/pucp/driver/v1/resource.ts';
import { SliceSpec } from '#proto/pucp/slice/v1/slice.ts';
import { createMarker, neutronFilter } from '../../services/openstack/api/tagging.ts';
import { SLICE_MARK } from '../../services/openstack/marks.ts';
import { type Contract, startContract } from './contract.ts';
import { convergedOf, driveSlice } from './driver.ts';
import { NOTHING, remains } from './slice.ts';

let contract: Contract;
before(async () => {
  contract = await startContract();
});
after(() => contract.close());

const spec = SliceSpec.fromPartial({
  name: 'gone',
  nodes: [
    { name: 'vm1', image: 'ubuntu-20.04', flavor: 'small', volumes: [{ size: 1 }], internetAccess: true },
  ],
  networks: [{ name: 'net1', cidr: '10.96.0.0/24' }],
});
const desired = compileSpec(spec, { power: Power.ON });
const ONE_OF_EACH = { servers: 1, networks: 1, subnets: 1, ports: 1, routers: 1 };

for (const [what, wish] of [
  ['removed', []],
  ['deployed again', desired],
] as const) {
  test(`a slice whose project is gone leaves nothing there when it is ${what}`, async () => {
    const user = await contract.user();
    const { sliceId, converge, close } = await driveSlice(contract, user, `gone-${wish.length}`);
    try {
      const { projectId } = convergedOf(await converge(desired));
      assert.deepEqual(await remains(contract, sliceId), ONE_OF_EACH);
      const { keystone, neutron, cinder } = contract.cloud.project('home');
      await keystone.deleteProject(projectId, contract.within);
      // It bears the slice's mark and lies elsewhere: nobody is to touch it.
      const [description] = neutronFilter(createMarker(SLICE_MARK, sliceId)).description;
      const foreign = await neutron.networks.create(
        { name: 'foreign', description: description ?? '' },
        contract.within,
      );
      const withForeign = (counts: Record<string, number>) => ({
        ...counts,
        networks: (counts.networks ?? 0) + 1,
      });
      // A replica that has not seen the project a moment ago.
      const replica = await contract.another();
      try {
        const known = { sliceId, fence: 1 };
        const later = await driveSlice({ ...contract, url: replica.url }, user, `gone-${wish.length}`, known);
        const result = convergedOf(await later.converge([...wish]));
        assert.notEqual(result.projectId, projectId);
        assert.deepEqual(
          await remains(contract, sliceId),
          withForeign(wish.length > 0 ? ONE_OF_EACH : NOTHING),
        );
        const volumes = await cinder.listVolumes({ allProjects: true, projectId }, contract.within);
        assert.deepEqual(volumes, [], 'its volume is gone, too');
        convergedOf(await later.converge([]));
        later.close();
        assert.deepEqual(await remains(contract, sliceId), withForeign(NOTHING));
      } finally {
        await neutron.networks.remove(foreign.id, contract.within);
        await replica.close();
      }
    } finally {
      close();
    }
  });
}
