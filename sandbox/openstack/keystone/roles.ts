// Roles and which role implies which.

import type { Cloud } from '../cloud.ts';
import { created, Fault, type Json, noContent, ok, type Route, route } from '../http.ts';
import { hexId } from '../ids.ts';
import { bodyOf, forbidden, listed, mustRole, nameOf, requireRule } from './faults.ts';
import type { RoleRow } from './rows.ts';

export function roleRoutes(cloud: Cloud): Route[] {
  const brief = (row: RoleRow) => ({
    id: row.id,
    links: { self: `${cloud.url}/identity/v3/roles/${row.id}` },
    name: row.name,
  });
  const inference = (row: RoleRow) => ({
    prior_role: brief(row),
    implies: row.implies.flatMap((id) => cloud.roles.get(id) ?? []).map(brief),
  });
  return [
    route('GET', '/roles', (call) => {
      requireRule(call.caller, 'identity:list_roles');
      const name = call.query.get('name');
      const found = cloud.roles.all().filter((row) => (name ?? row.name) === row.name);
      return ok(
        listed(
          cloud,
          call.target,
          'roles',
          found.map((row) => showRole(cloud, row)),
        ),
      );
    }),
    route('POST', '/roles', (call) => {
      requireRule(call.caller, 'identity:create_role');
      const input = bodyOf(call.body, 'role');
      const name = nameOf(input, 255, true) ?? '';
      if (cloud.roles.all().some((row) => row.name === name)) {
        throw new Fault(
          409,
          `Conflict occurred attempting to store role - Duplicate entry found with name ${name}.`,
        );
      }
      const description = typeof input.description === 'string' ? input.description : null;
      const row: RoleRow = { id: hexId(), name, description, immutable: false, implies: [] };
      return created({ role: showRole(cloud, cloud.roles.put(row)) });
    }),
    route('GET', '/roles/{id}', (call) => {
      requireRule(call.caller, 'identity:get_role');
      return ok({ role: showRole(cloud, mustRole(cloud, call.params.id)) });
    }),
    route('DELETE', '/roles/{id}', (call) => {
      requireRule(call.caller, 'identity:delete_role');
      const row = mustRole(cloud, call.params.id);
      if (row.immutable) throw forbidden('delete an immutable role');
      cloud.roles.remove(row.id);
      for (const grant of cloud.assignments.all()) {
        if (grant.role_id === row.id) cloud.assignments.remove(grant.id);
      }
      return noContent;
    }),
    route('GET', '/roles/{id}/implies', (call) => {
      requireRule(call.caller, 'identity:list_implied_roles');
      const row = mustRole(cloud, call.params.id);
      const self = `${cloud.url}/identity/v3${call.target}`;
      return ok({ role_inference: inference(row), links: { self } });
    }),
    route('GET', '/role_inferences', (call) => {
      requireRule(call.caller, 'identity:list_role_inference_rules');
      const rows = cloud.roles.all().filter((row) => row.implies.length > 0);
      return ok({
        role_inferences: rows.map(inference),
        links: { self: `${cloud.url}/identity/v3/role_inferences` },
      });
    }),
  ];
}

export function showRole(cloud: Cloud, row: RoleRow): Json {
  return {
    id: row.id,
    name: row.name,
    domain_id: null,
    description: row.description,
    options: row.immutable ? { immutable: true } : {},
    links: { self: `${cloud.url}/identity/v3/roles/${row.id}` },
  };
}
