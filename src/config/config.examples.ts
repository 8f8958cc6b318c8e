const PLAIN = { unknown: null, fleet: null, difference: null, refused: [] };

export const SETTING_EXAMPLE = { key: 'rate_limit', value: 50, source: 'etcd', version: '17', ...PLAIN };

const REFUSED_EXAMPLE = {
  key: 'scheduler_interval',
  value: 120,
  source: 'fleet',
  version: '2026-01-20T14:36:51.123Z',
  unknown: 'file holds a value that is refused',
  fleet: { value: 120, source: 'file', version: '2026-01-20T14:36:51.123Z', set_at: '2026-01-20T14:36:52.000Z' },
  difference: null,
  refused: [
    {
      source: 'file',
      version: '2026-01-20T14:36:51.123Z',
      reason: 'scheduler_interval must be a whole number from 1 to 2147483, but is "0"',
    },
  ],
};

const SECRET_EXAMPLE = { key: 'webhook_auth_key', value: '***', source: 'etcd', version: '16', ...PLAIN };

export const CONFIG_EXAMPLE = {
  complete: true,
  settings: [SETTING_EXAMPLE, REFUSED_EXAMPLE, SECRET_EXAMPLE],
  sources: [
    {
      name: 'etcd',
      connected: true,
      since: '2026-01-20T14:36:51.123Z',
      problem: null,
      version: '17',
      unknown_keys: ['rate_limt'],
    },
  ],
};
