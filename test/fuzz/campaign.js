import { Pool } from 'undici';
import { fireRaw, repliesIn } from './raw-client.js';
import { rawShotNumber } from './raw-shots.js';
import { leakInReply } from './secrets.js';
import { shotNumber } from './shots.js';

/** @typedef {import('./types.js').Shot} Shot */
/** @typedef {import('./types.js').Failure} Failure */

const LANES = 12;
const RAW_LANES = 24;
/** One connection of raw bytes for so many requests. */
const REQUESTS_PER_RAW = 20;
/** After this share everything has been compiled, cached and pooled that ever will be. */
const WARM_UP = 0.25;
/** Enough to mend; more of the same only hides the rest. */
const MAX_FAILURES = 200;
const PROGRESS_MS = 5_000;
const REQUEST_MS = 30_000;

/** A refused setting is shown to who set it, unless it is a secret. */
const REPEATS_VALUES = new Set(['setConfig']);

/** Fires everything at one instance and notes what it may never answer. */
export class Campaign {
  /**
   * @param {import('./instance.js').Instance} instance
   * @param {import('./document.js').ApiDocument} api
   * @param {import('./types.js').Options} options
   * @param {(line: string) => void} say
   */
  constructor(instance, api, options, say) {
    this.instance = instance;
    this.api = api;
    this.options = options;
    this.say = say;
    /** @type {Failure[]} */
    this.failures = [];
    /** @type {Record<string, number>} */
    this.statuses = {};
    /** @type {Record<string, number>} */
    this.operations = {};
    /** @type {Record<string, number>} */
    this.kinds = {};
    this.requests = 0;
    this.rawConnections = 0;
  }

  /** @returns {Promise<{ warm: import('./types.js').Memory, end: import('./types.js').Memory }>} the memory after the warm-up and at the end */
  async run() {
    const pool = new Pool(this.instance.origin, {
      connections: LANES,
      headersTimeout: REQUEST_MS,
      bodyTimeout: REQUEST_MS,
    });
    const inspector = await this.instance.inspector();
    const progress = setInterval(
      () =>
        this.say(`${this.requests} requests, ${this.rawConnections} raw connections, ${this.failures.length} failures`),
      PROGRESS_MS,
    );
    try {
      const { requests } = this.options;
      const warm = Math.ceil(requests * WARM_UP);
      await this.stretch(pool, 0, warm);
      const before = await inspector.memory();
      await this.stretch(pool, warm, requests);
      return { warm: before, end: await inspector.memory() };
    } finally {
      clearInterval(progress);
      inspector.close();
      await pool.destroy();
    }
  }

  /**
   * The requests from one number up to another, and the raw connections that belong to them.
   * @param {Pool} pool
   * @param {number} from
   * @param {number} to
   */
  async stretch(pool, from, to) {
    let next = from;
    let nextRaw = Math.ceil(from / REQUESTS_PER_RAW);
    const lastRaw = Math.ceil(to / REQUESTS_PER_RAW);
    const going = () => this.failures.length < MAX_FAILURES && this.instance.child.exitCode === null;
    const lane = async () => {
      while (next < to && going()) await this.fire(pool, next++);
    };
    const rawLane = async () => {
      while (nextRaw < lastRaw && going()) await this.fireRaw(nextRaw++);
    };
    const lanes = [...Array.from({ length: LANES }, lane), ...Array.from({ length: RAW_LANES }, rawLane)];
    await Promise.all(lanes);
  }

  /**
   * @param {Pool} pool
   * @param {number} number
   */
  async fire(pool, number) {
    const shot = shotNumber(this.api, this.options.seed, number);
    const { method, url, headers, body } = shot;
    this.requests += 1;
    count(this.kinds, shot.how);
    count(this.operations, idOf(shot));
    try {
      const reply = await pool.request({ method, path: url, headers, body });
      const text = await reply.body.text();
      count(this.statuses, reply.statusCode);
      const contentType = String(reply.headers['content-type'] ?? '');
      this.judge(number, shot, { status: reply.statusCode, contentType, body: text });
    } catch (error) {
      this.fail('every request is answered', number, shot, error instanceof Error ? error.message : String(error));
    }
  }

  /**
   * @param {number} number
   * @param {Shot} shot
   * @param {import('./types.js').HttpReply} reply
   */
  judge(number, shot, reply) {
    const said = `${reply.status} ${reply.body.slice(0, 600)}`;
    if (reply.status >= 500 && !isBusyImport(reply)) this.fail('no 5xx', number, shot, said);
    const objection = shot.method === 'HEAD' ? null : this.api.objection(shot, reply);
    if (objection !== null) this.fail('documented replies only', number, shot, `${objection}; ${said}`);
    const sent = shot.body === null ? '' : String(shot.body);
    const named = `${shot.url} ${decoded(shot.url)} ${fieldNames(sent)} ${REPEATS_VALUES.has(idOf(shot)) ? sent : ''}`;
    const leak = leakInReply(reply.status, reply.body, named, `${named} ${sent}`);
    if (leak !== null) this.fail('no secret, and nothing of the inside', number, shot, `${leak}; ${said}`);
  }

  /** @param {number} number */
  async fireRaw(number) {
    const shot = rawShotNumber(this.options.seed, number);
    this.rawConnections += 1;
    count(this.kinds, `raw: ${shot.how}`);
    const { received, held } = await fireRaw(this.instance.port, shot);
    const where = `raw #${number} (${shot.how})`;
    if (held) this.failures.push({ rule: 'no connection is held for ever', what: where });
    for (const { status, body } of repliesIn(received)) {
      count(this.statuses, status);
      if (status >= 500) this.failures.push({ rule: 'no 5xx', what: `${where}: ${status} ${body.slice(0, 600)}` });
      const leak = leakInReply(status, body, '', '');
      if (leak !== null)
        this.failures.push({ rule: 'no secret, and nothing of the inside', what: `${where}: ${leak}` });
    }
  }

  /**
   * @param {string} rule
   * @param {number} number
   * @param {Shot} shot
   * @param {string} what
   */
  fail(rule, number, { method, url, headers, body, how }, what) {
    const asked = `${method} ${url.slice(0, 300)} ${JSON.stringify(headers).slice(0, 300)} ${String(body).slice(0, 300)}`;
    this.failures.push({ rule, what: `#${number} (${how}): ${asked} -> ${what}` });
  }
}

/**
 * @param {Record<string, number>} counts
 * @param {string | number} name
 */
function count(counts, name) {
  counts[name] = (counts[name] ?? 0) + 1;
}

/** @param {string} url */
function decoded(url) {
  try {
    return decodeURIComponent(url);
  } catch {
    return url;
  }
}

/**
 * Two imports at once are all that a replica takes, and more are fired at it: that one refusal, and no other 503, is right.
 * @param {{ status: number, body: string }} reply
 */
function isBusyImport({ status, body }) {
  return status === 503 && body.includes('"code":"import.busy"');
}

/** @param {Shot} shot */
function idOf({ target }) {
  return target?.operation.operationId ?? 'none';
}

/**
 * The names of the fields of a body of JSON.
 * @param {string} body
 */
function fieldNames(body) {
  /** @type {string[]} */
  const names = [];
  try {
    JSON.parse(body, (key, value) => (names.push(key), /** @type {unknown} */ (value)));
  } catch {
    // Not JSON, or too deep: it has no fields.
  }
  return names.join(' ');
}
