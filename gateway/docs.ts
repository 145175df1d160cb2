// The OpenAPI document and Swagger UI. The page loads files only, so that it works under a policy that forbids scripts
// within pages.

import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import type { OpenApiDocument } from './openapi.ts';

// The package's own entry would load the whole user interface into this process to tell its folder.
const FILES = dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/package.json')));

// Takes the place of the file of this name in swagger-ui-dist, which shows a pet store.
const INITIALIZER = `window.onload = () => {
  window.ui = SwaggerUIBundle({
    url: '../openapi.json',
    dom_id: '#swagger-ui',
    deepLinking: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    layout: 'BaseLayout',
  });
};
`;

/** Serves /openapi.json and /docs. */
export async function serveDocs(app: FastifyInstance, document: OpenApiDocument): Promise<void> {
  const text = JSON.stringify(document);
  app.get('/openapi.json', (_request, reply) => reply.type('application/json; charset=utf-8').send(text));
  app.get('/docs', (_request, reply) => reply.redirect('docs/'));
  app.get('/docs/swagger-initializer.js', (_request, reply) =>
    reply.type('text/javascript; charset=utf-8').send(INITIALIZER),
  );
  await app.register(fastifyStatic, {
    root: FILES,
    prefix: '/docs/',
    index: 'index.html',
  });
}
