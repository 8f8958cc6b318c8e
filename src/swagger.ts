import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { completed } from './openapi-completion.js';
import { SECURITY_SCHEME } from './required-scope.js';

const PAGE = '/swagger/index.html';
const DOCUMENT = '/swagger/v1/swagger.json';

const KEYS =
  'An API key with the scope that the operation names in `x-required-scope`. Leave it empty where the service runs without keys.';

/** The OpenAPI document of every route of the application, which need not have been started. */
export function openApiDocument(app: NestFastifyApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Message dispatcher')
    .setDescription(
      'Sends the messages that wait in PostgreSQL to a webhook, at a steady pace. ' +
        'Every reply carries `X-Correlation-ID`; every error is `{"error", "code"}`.',
    )
    .setVersion('1.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: KEYS }, SECURITY_SCHEME)
    .setLicense('MIT', 'https://spdx.org/licenses/MIT.html')
    .addTag('messages', 'What is to be sent, and what became of it.')
    .addTag('operations', 'What operators decide about messages.')
    .addTag('scheduler', 'Start, stop, and the queue of jobs.')
    .addTag('config', 'Settings that change while the service runs.')
    .addTag('health', 'For probes.')
    .build();
  const document = SwaggerModule.createDocument(app, config, { operationIdFactory: (_controller, method) => method });
  return completed(document);
}

/** Serves the API's documentation at `/swagger/index.html` and the OpenAPI document at `/swagger/v1/swagger.json`. */
export function serveSwagger(app: NestFastifyApplication): void {
  // Mounted at the page's own path: its asset links are relative to the last segment and would otherwise be 404.
  SwaggerModule.setup(PAGE.slice(1), app, () => openApiDocument(app), {
    jsonDocumentUrl: DOCUMENT.slice(1),
    raw: ['json'],
    customSiteTitle: 'Message dispatcher',
    // Relative to where the document is read, so that it holds below a base path that a proxy takes away.
    patchDocumentOnRequest: (request, _response, document) => ({ ...document, servers: [{ url: serverFor(request) }] }),
  });
  const fastify = app.getHttpAdapter().getInstance();
  // Relative for the same reason.
  fastify.get('/swagger', (_request, reply) => reply.redirect('swagger/index.html', 302));
  fastify.get('/swagger/', (_request, reply) => reply.redirect('index.html', 302));
}

/** Where the API is, as seen from the page (which takes its own address for the document's), or from the JSON document. */
function serverFor(request: unknown): string {
  const url = typeof request === 'object' && request !== null && 'url' in request ? String(request.url) : '';
  return url.split('?', 1)[0] === DOCUMENT ? '../..' : '..';
}
