import type { RawValue } from './config-source.js';
import { showTarget } from './mask-url.js';
import type { LiveSettings } from './live-settings.js';
import { headerValue, isTooLong, oneOf, seconds, secondsList, textOf, trueOrFalse, webhookUrl } from './live-values.js';
import { signingSecrets } from './signing-secrets.js';
import { excerpt, MAX_VALUE_LENGTH, wholeNumber, type TextSchema } from './static-values.js';

export type LiveValue = LiveSettings[keyof LiveSettings];

export type ParsedValue =
  { readonly ok: true; readonly value: LiveValue } | { readonly ok: false; readonly reason: string };

/** What an API or a log may show of a value. */
export type ShownValue = string | number | boolean | null | readonly number[];

/** One live setting: its name in etcd and YAML, its field in `LiveSettings`, its type and limits, its default. */
export interface LiveKey {
  readonly name: string;
  readonly field: keyof LiveSettings;
  readonly secret: boolean;
  readonly fallback: LiveValue;
  /** The value for `LiveSettings`, or why it is refused, in words that hold no secret. */
  parse(raw: RawValue): ParsedValue;
  /** Why JSON of this kind is no value of this setting, whatever it holds; null when it may be one. */
  misfit(value: JsonValue): string | null;
  /** The value as the operator writes it (seconds, not milliseconds); `***` for a secret. */
  show(value: LiveValue): ShownValue;
}

/** A value as a request brings it. */
export type JsonValue = string | number | boolean | readonly number[] | readonly string[];

/** What JSON may have for a setting beside text, which every setting takes. */
type JsonKind = 'a number' | 'true or false' | 'a list of numbers' | 'a list of texts';

interface Definition<F extends keyof LiveSettings> {
  readonly name: string;
  readonly field: F;
  readonly schema: TextSchema<LiveSettings[F]>;
  readonly fallback: LiveSettings[F];
  readonly secret?: boolean;
  /** Unless given, the type of `fallback`, and text alone where that is null or text. */
  readonly json?: readonly JsonKind[];
}

function liveKey<F extends keyof LiveSettings>({ schema, secret = false, json, ...rest }: Definition<F>): LiveKey {
  const kinds = json ?? kindsOf(rest.fallback);
  const inSeconds = rest.field.endsWith('Ms');
  const isTarget = rest.field === 'webhookUrl';
  const refused = (why: string): ParsedValue => ({ ok: false, reason: `${rest.name} ${why}` });
  return Object.freeze({
    ...rest,
    secret,
    parse(raw: RawValue): ParsedValue {
      if (Array.isArray(raw) && !kinds.some(isList)) return refused('must be a single value, but is a list');
      if (isTooLong(raw)) return refused(`must be at most ${MAX_VALUE_LENGTH} characters long`);
      const text = textOf(raw);
      if (text === undefined) return refused(unreadable(raw));
      const parsed = schema.safeParse(text);
      if (parsed.success && isOfKind(rest.fallback, parsed.data)) return { ok: true, value: parsed.data };
      const wanted = parsed.error?.issues[0]?.message ?? 'is not valid';
      return refused(secret ? wanted : `${wanted}, but is ${isTarget ? showTarget(text) : excerpt(text)}`);
    },
    misfit(value: JsonValue): string | null {
      const kind = kindOf(value);
      const fits =
        kind === 'text' || kinds.some((taken) => taken === kind || (kind === 'an empty list' && isList(taken)));
      return fits ? null : `${rest.name} must be ${['text', ...kinds].join(' or ')}, but is ${kind}`;
    },
    show(value: LiveValue): ShownValue {
      if (value === null) return null;
      if (secret) return '***';
      if (isTarget) return showTarget(String(value));
      // Of the lists, only the secret one holds no times.
      if (typeof value === 'object') return value.map((item) => Number(item) / 1000);
      return inSeconds && typeof value === 'number' ? value / 1000 : value;
    },
  });
}

/** Whether `value` is what its setting's type says, which a mistake in a schema could belie. */
function isOfKind(fallback: LiveValue, value: unknown): boolean {
  if (Array.isArray(fallback)) return Array.isArray(value);
  if (fallback !== null) return typeof value === typeof fallback;
  return value === null || typeof value === 'string' || Array.isArray(value);
}

function kindsOf(fallback: LiveValue): readonly JsonKind[] {
  if (typeof fallback === 'number') return ['a number'];
  return typeof fallback === 'boolean' ? ['true or false'] : [];
}

function isList(kind: JsonKind): boolean {
  return kind.startsWith('a list');
}

function kindOf(json: JsonValue): JsonKind | 'text' | 'an empty list' {
  if (typeof json === 'string') return 'text';
  if (typeof json === 'number') return 'a number';
  if (typeof json === 'boolean') return 'true or false';
  if (json.length === 0) return 'an empty list';
  return typeof json[0] === 'number' ? 'a list of numbers' : 'a list of texts';
}

function unreadable(raw: RawValue): string {
  return raw instanceof Uint8Array ? 'must be UTF-8 text, but is binary' : 'must be a single value or a flat list';
}

const YEAR_SECONDS = 31_536_000;
const WEEK_SECONDS = 604_800;
/** What an operator keeps for ever, unless told otherwise: the table may be the company's only record. */
const NEVER = 0;
/** A century: more is a mistake. */
const days = wholeNumber(0, 36_500, 'days');

/** Every live setting. Meanings and units are in `config/dynamic_config.yaml`. */
export const LIVE_KEYS: readonly LiveKey[] = Object.freeze([
  liveKey({ name: 'auto_sending', field: 'autoSending', schema: trueOrFalse, fallback: true }),
  liveKey({ name: 'rate_limit', field: 'rateLimit', schema: wholeNumber(1, 1_000_000), fallback: 2 }),
  liveKey({
    name: 'scheduler_interval',
    field: 'schedulerIntervalMs',
    // Beyond the 24.8 days of setTimeout: the scheduler sleeps in pieces.
    schema: seconds(1, YEAR_SECONDS),
    fallback: 120_000,
  }),
  liveKey({
    name: 'scheduler_queue_capacity',
    field: 'schedulerQueueCapacity',
    schema: wholeNumber(1, 10_000),
    fallback: 100,
  }),
  liveKey({ name: 'scheduler_workers', field: 'schedulerWorkers', schema: wholeNumber(1, 64), fallback: 1 }),
  liveKey({ name: 'webhook_url', field: 'webhookUrl', schema: webhookUrl, fallback: null }),
  liveKey({ name: 'webhook_auth_key', field: 'webhookAuthKey', schema: headerValue, fallback: null, secret: true }),
  liveKey({
    name: 'webhook_signing_secrets',
    field: 'webhookSigningSecrets',
    schema: signingSecrets,
    fallback: null,
    secret: true,
    json: ['a list of texts'],
  }),
  liveKey({ name: 'webhook_timeout', field: 'webhookTimeoutMs', schema: seconds(1, 60), fallback: 10_000 }),
  liveKey({ name: 'webhook_concurrency', field: 'webhookConcurrency', schema: wholeNumber(1, 1024), fallback: 64 }),
  liveKey({ name: 'max_attempts', field: 'maxAttempts', schema: wholeNumber(1, 100), fallback: 6 }),
  liveKey({
    name: 'retry_schedule',
    field: 'retryScheduleMs',
    schema: secondsList(1, WEEK_SECONDS, 50),
    json: ['a number', 'a list of numbers'],
    fallback: Object.freeze([30_000, 120_000, 600_000, 3_600_000, 21_600_000]),
  }),
  liveKey({ name: 'on_uncertain', field: 'onUncertain', schema: oneOf('resend', 'hold'), fallback: 'resend' }),
  liveKey({ name: 'erase_after_days', field: 'eraseAfterDays', schema: days, fallback: NEVER }),
  liveKey({ name: 'retain_sent_days', field: 'retainSentDays', schema: days, fallback: NEVER }),
  liveKey({ name: 'retain_parked_days', field: 'retainParkedDays', schema: days, fallback: NEVER }),
  liveKey({ name: 'retain_attempts_days', field: 'retainAttemptsDays', schema: days, fallback: NEVER }),
  liveKey({ name: 'retain_actions_days', field: 'retainActionsDays', schema: days, fallback: NEVER }),
]);

export const LIVE_KEY_NAMES: readonly string[] = LIVE_KEYS.map(({ name }) => name);

export function liveKeyNamed(name: string): LiveKey | undefined {
  return LIVE_KEYS.find((key) => key.name === name);
}
