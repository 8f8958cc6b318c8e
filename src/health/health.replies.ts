import { z } from 'zod';

/** The reply of `GET /health`, to the letter. */
export const aliveSchema = z.strictObject({ status: z.literal('healthy') }).meta({ id: 'Alive' });

const indicators = z.record(z.string(), z.looseObject({ status: z.enum(['up', 'down']) }));

/** Terminus's report: `details` holds every indicator, `info` those that are up, `error` those that are down. */
export const reportSchema = z
  .strictObject({
    status: z.enum(['ok', 'error', 'shutting_down']),
    info: indicators,
    error: indicators,
    details: indicators,
  })
  .meta({ id: 'HealthReport' });

type Report = z.infer<typeof reportSchema>;
type Indicators = z.infer<typeof indicators>;

const exampleOf = (info: Indicators, error: Indicators = {}): Report => ({
  status: Object.keys(error).length === 0 ? 'ok' : 'error',
  info,
  error,
  details: { ...info, ...error },
});

const up: Indicators[string] = { status: 'up' };

export const LIVE_EXAMPLE = exampleOf({ loop: up });
export const NOT_LIVE_EXAMPLE = exampleOf(
  {},
  { loop: { status: 'down', message: 'The scheduler loop does not turn' } },
);
export const READY_EXAMPLE = exampleOf({
  process: up,
  postgres: up,
  schema: up,
  webhook: up,
  scheduler: up,
  redis: { status: 'up', stale: true },
  etcd: up,
  retention: up,
  log: up,
});
export const NOT_READY_EXAMPLE = exampleOf(
  { process: up, schema: up, webhook: up, scheduler: up, redis: up, etcd: up },
  {
    postgres: { status: 'down', message: 'PostgreSQL did not answer within 1000 ms; check APP_DB_URL and the server' },
  },
);
