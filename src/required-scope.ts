import { applyDecorators } from '@nestjs/common';
import type { FastifyContextConfig } from 'fastify';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBearerAuth, ApiExtension } from '@nestjs/swagger';
import { ApiErrors } from './api-errors.js';

/** What a key may do. None includes another: a key has a list of them. */
export const SCOPES = ['read', 'send', 'operate'] as const;
export type Scope = (typeof SCOPES)[number];

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a caller needs for this route. A route without it is refused wherever keys are in force. */
    readonly scope?: Scope | 'public';
    /** Calls are not counted. */
    readonly unlimited?: boolean;
  }
}

/** The name of the security scheme in the OpenAPI document. */
export const SECURITY_SCHEME = 'key';

/**
 * Lets only keys with this scope call the operation, and documents that. Without keys everybody may.
 * `route` is what else the route is configured with, of which Nest keeps one object only.
 */
export function RequiredScope(scope: Scope, route: FastifyContextConfig = {}): MethodDecorator {
  return applyDecorators(
    RouteConfig({ ...route, scope }),
    ApiBearerAuth(SECURITY_SCHEME),
    ApiExtension('x-required-scope', scope),
    ApiErrors(
      401,
      { status: 401, error: 'The key is unknown or no longer valid', code: 'auth.unknown_key' },
      { status: 403, error: `The key ci does not have the scope ${scope}, which this call needs`, code: 'auth.scope' },
      429,
    ),
  );
}

/** Lets everybody call the operation, without a key and without a limit. */
export function Public(): MethodDecorator {
  return RouteConfig({ scope: 'public', unlimited: true });
}
