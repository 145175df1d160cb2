// The REST routes, one per binding of each rpc, and the search for the one that a request means.

import {
  bySpecificity,
  matchTemplate,
  type PathTemplate,
  parseTemplate,
  splitPath,
} from './path-template.ts';
import type { Binding, Method, Schema } from './schema.ts';
import { createTranscoder, type Transcoder } from './transcode.ts';

export type Route = {
  readonly method: Method;
  readonly binding: Binding;
  readonly template: PathTemplate;
  readonly transcoder: Transcoder;
};

export type Found =
  | { readonly kind: 'route'; readonly route: Route; readonly params: Readonly<Record<string, string>> }
  /** The path exists for other HTTP methods. */
  | { readonly kind: 'other-methods'; readonly allow: readonly string[] }
  | { readonly kind: 'nothing' };

/** All routes, the more specific first. Throws if two rpcs claim the same. */
export function routesOf(schema: Schema): Route[] {
  const routes = schema.methods.flatMap((method) =>
    method.bindings.map((binding) => {
      const template = parseTemplate(binding.template);
      return { method, binding, template, transcoder: createTranscoder(method, binding, template) };
    }),
  );
  const claims = new Map<string, string>();
  for (const { method, binding, template } of routes) {
    const shape = template.parts.map((part) => (part.kind === 'literal' ? part.text : part.kind)).join('/');
    const key = `${binding.httpMethod} ${shape}:${template.verb}`;
    const other = claims.get(key);
    if (other)
      throw new Error(`${other} and ${method.path} both claim ${binding.httpMethod} ${binding.template}`);
    claims.set(key, method.path);
  }
  return routes.sort((a, b) => bySpecificity(a.template, b.template));
}

/** Finds the route of a path that is still percent-encoded and has no query. HEAD is served where GET is. */
export function findRoute(routes: readonly Route[], httpMethod: string, path: string): Found {
  const segments = splitPath(path);
  const wanted = httpMethod === 'HEAD' ? 'GET' : httpMethod;
  const others = new Set<string>();
  for (const route of routes) {
    const params = matchTemplate(route.template, segments);
    if (!params) continue;
    if (route.binding.httpMethod === wanted) return { kind: 'route', route, params };
    others.add(route.binding.httpMethod);
  }
  if (others.size === 0) return { kind: 'nothing' };
  if (others.has('GET')) others.add('HEAD');
  return { kind: 'other-methods', allow: [...others, 'OPTIONS'].sort() };
}
