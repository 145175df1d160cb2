import {
  type IdentityServiceServer,
  IdentityServiceService,
} from '#proto/pucp/openstack/v1/identity_service.ts';
import { examplesOf } from '../ownership-examples.ts';

export const examples = examplesOf<IdentityServiceServer>(IdentityServiceService, {
  named: ({ project: projectId = '' }) => ({
    getProject: { projectId },
    updateProject: { projectId, description: 'changed' },
    listMembers: { projectId },
    addMember: { projectId, user: 'nobody', role: 'member' },
    setQuotas: { projectId, compute: { cores: 30 } },
    resetQuotas: { projectId },
    getQuotaUsage: { projectId },
    removeMember: { projectId, user: 'admin', role: 'member' },
    deleteProject: { projectId },
  }),
  nameless: { listKeystoneUsers: {}, listKeystoneRoles: {} },
});
