import { z } from 'zod';
import { CONFIG_EXAMPLE, SETTING_EXAMPLE } from './config.examples.js';
import type { LiveKeyReport, LiveReport } from './live-report.js';

const MAX_VALUE_LENGTH = 8192;

const version = z
  .string()
  .regex(/^(0|[1-9]\d{0,18})$/, 'must be a version as GET /config shows it')
  .meta({
    description: 'Write only if the key still has this version in etcd; `0`: only if it is not there.',
    example: '17',
  });

export const keySchema = z
  .string()
  .max(64, 'must be at most 64 characters long')
  .meta({ description: 'A live setting, as GET /config lists them.', example: 'rate_limit' });

export const putSettingSchema = z
  .strictObject({
    value: z
      .union(
        [
          z.string().max(MAX_VALUE_LENGTH),
          z.number(),
          z.boolean(),
          z.array(z.number()).max(64),
          z.array(z.string().max(256)).max(64),
        ],
        {
          error: `must be text of at most ${MAX_VALUE_LENGTH} characters, a number, true, false or a list of numbers or texts`,
        },
      )
      .meta({ description: 'As in etcd and YAML: text, or what JSON has for it.', example: 50 }),
    version: version.optional(),
  })
  .meta({ id: 'PutSetting', example: { value: 50 } });
export type PutSetting = z.infer<typeof putSettingSchema>;

export const deleteQuerySchema = z.strictObject({ version: version.optional() });

const sourceName = z.enum(['etcd', 'file', 'memory']);
const time = z.string().meta({ format: 'date-time', example: '2026-01-20T14:36:51.123Z' });

export const settingSchema = z
  .strictObject({
    key: z.string().meta({ example: 'rate_limit' }),
    value: z
      .union([z.string().nullable(), z.number(), z.boolean(), z.array(z.number())])
      .meta({ description: 'In force. Seconds where it is a time; `***` for a secret.', example: 50 }),
    source: z.enum(['etcd', 'file', 'memory', 'fleet', 'default']).meta({
      description: 'Who said so; `fleet`: what the replicas last agreed on, while this one cannot tell.',
    }),
    version: z
      .string()
      .nullable()
      .meta({ description: 'The revision in etcd, or the time of the file.', example: '17' }),
    unknown: z.string().nullable().meta({
      description:
        'Why the sources of this replica do not tell it; null when they do. It decides nothing for others then.',
    }),
    fleet: z
      .strictObject({
        value: z.union([z.number(), z.boolean(), z.string(), z.array(z.number())]),
        source: z.enum(['etcd', 'file', 'memory', 'default']),
        version: z.string(),
        set_at: time,
      })
      .nullable()
      .meta({
        description:
          'What the replicas last agreed on. All work with it where it is one thing for all of them: `auto_sending`, `scheduler_interval`, `scheduler_queue_capacity`, `scheduler_workers`. null for secrets and `webhook_url`, and before the first boot.',
      }),
    difference: z.string().nullable().meta({
      description:
        'Why what the replicas agreed on is not what the sources of this one say, and what to do; null when it is.',
    }),
    refused: z
      .array(z.strictObject({ source: sourceName, version: z.string(), reason: z.string() }))
      .meta({ description: 'What a source holds and what does not fit; it changes nothing.' }),
  })
  .meta({ id: 'LiveSetting', example: SETTING_EXAMPLE });

export const configSchema = z
  .strictObject({
    complete: z.boolean().meta({ description: 'Whether every source has been read at least once.' }),
    settings: z.array(settingSchema),
    sources: z.array(
      z.strictObject({
        name: sourceName,
        connected: z.boolean(),
        since: time.meta({ description: 'Since when it is connected, or not.' }),
        problem: z.string().nullable(),
        version: z
          .string()
          .nullable()
          .meta({ description: 'Of what was read last: the revision of etcd.', example: '17' }),
        unknown_keys: z.array(z.string()),
      }),
    ),
  })
  .meta({ id: 'LiveConfig', example: CONFIG_EXAMPLE });

export function toSetting(report: LiveKeyReport): z.infer<typeof settingSchema> {
  const value = typeof report.value === 'object' && report.value !== null ? [...report.value] : report.value;
  return { ...report, value, fleet: toFleet(report), refused: [...report.refused] };
}

function toFleet({ fleet }: LiveKeyReport): z.infer<typeof settingSchema>['fleet'] {
  if (fleet === null || fleet.value === null) return null;
  const { value, source, setAt } = fleet;
  return {
    value: typeof value === 'object' ? [...value] : value,
    source,
    version: fleet.version,
    set_at: new Date(setAt).toISOString(),
  };
}

export function toConfig({ complete, settings, sources }: LiveReport): z.infer<typeof configSchema> {
  return {
    complete,
    settings: settings.map(toSetting),
    sources: sources.map(({ unknownKeys, since, ...source }) => ({
      ...source,
      since: since.toISOString(),
      unknown_keys: [...unknownKeys],
    })),
  };
}
