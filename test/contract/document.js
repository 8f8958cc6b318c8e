// Imported from the build by URL; the compiler must be told the types.
/* oxlint-disable typescript/no-unsafe-type-assertion */

import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';

/** @param {string} file */
async function load(file) {
  /** @type {unknown} */
  const module = await import(new URL(`../../dist/src/${file}`, import.meta.url).href);
  return module;
}

/** @typedef {typeof import('../../src/app.module.js')} Module */
/** @typedef {typeof import('../../src/config/load-static-settings.js')} Settings */
/** @typedef {typeof import('../../src/swagger.js')} Swagger */

/** The OpenAPI document of the service as it was built; nothing is started or connected to. */
export async function builtDocument() {
  const { AppModule } = /** @type {Module} */ (await load('app.module.js'));
  const { loadStaticSettings } = /** @type {Settings} */ (await load('config/load-static-settings.js'));
  const { openApiDocument } = /** @type {Swagger} */ (await load('swagger.js'));
  const settings = loadStaticSettings({ APP_ENV: 'dev', APP_DB_URL: 'postgres://nobody@localhost/nothing' });
  /** @type {import('@nestjs/platform-fastify').NestFastifyApplication} */
  const app = await NestFactory.create(AppModule.register(settings), new FastifyAdapter(), {
    preview: true,
    logger: false,
    abortOnError: false,
  });
  return openApiDocument(app);
}
