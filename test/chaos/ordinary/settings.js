/** What people type by mistake, by the key that they mean; nothing of it fits. First those that the fleet shares. */
export const TYPOS = /** @type {const} */ ([
  ['auto_sending', ['__proto__', 'constructor', 'toString', 'flase', 'hasOwnProperty', 'tru']],
  ['on_uncertain', ['Hold!', 'resnd', '__proto__', 'valueOf']],
  ['rate_limit', ['0', '-1', 'abc', '1.5', '1e12', '1/s', `http://a.example/?${';key'.repeat(300)}`]],
  ['scheduler_interval', ['0', '3600s', '1/s', 'constructor', '2,5']],
  ['retry_schedule', ['30;120', '[30, 120', 'soon', '__proto__']],
  ['webhook_timeout', ['soon', '-2', '__proto__']],
  ['max_attempts', ['many', '0', 'NaN']],
]);

/**
 * The fleet's settings, as an operator keeps them in etcd.
 * @param {import('../types.js').Policy} policy
 * @param {{ rateLimit: number, intervalMs: number, workers: number }} pace
 * @returns {Record<string, string>}
 */
export function fleetSettings(policy, { rateLimit, intervalMs, workers }) {
  return {
    auto_sending: 'true',
    on_uncertain: policy,
    rate_limit: String(rateLimit),
    scheduler_interval: String(intervalMs / 1000),
    scheduler_workers: String(workers),
    webhook_timeout: '2',
    webhook_concurrency: '16',
    max_attempts: '3',
    retry_schedule: '1,2',
  };
}

/** Halves of a file as an editor or a copy leaves them for a moment, none of which can be read. */
export const HALVES = /** @type {const} */ ([
  'webhook_url: "http://127.0.0.1:1',
  'retry_schedule: [1, 2',
  'webhook_url: {http',
  '%',
  'rate_limit: 1\n\tscheduler_interval: 1\n',
]);
