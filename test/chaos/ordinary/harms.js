import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { HALVES, TYPOS } from './settings.js';

/** All harms of ordinary life; every one is done once before any is done again. */
export const HARM_NAMES = /** @type {const} */ ([
  'legacy-rows',
  'invalid-rows',
  'bad-numbers',
  'cursed-rows',
  'unmarkable-rows',
  'locks',
  'marks',
  'deletes',
  'odd-ids',
  'snapshot',
  'typo',
  'typo-and-restart',
  'typo-by-api',
  'half-a-file',
  'half-a-file-and-restart',
  'etcd-away',
  'etcd-away-and-restart',
  'stall',
  'stop',
  'stop-and-restart',
  'stop-typo-restart',
  'stop-beside-a-hang',
  'kill',
  'restart',
  'log-stall',
  'log-full',
]);

const STALL_MS = /** @type {const} */ ([11_000, 14_000]);
const LOCK_MS = /** @type {const} */ ([2_000, 6_000]);
const SNAPSHOT_MS = /** @type {const} */ ([10_000, 25_000]);
const TYPO_MS = /** @type {const} */ ([1_000, 5_000]);
const HALF_MS = /** @type {const} */ ([200, 3_000]);
const AWAY_MS = /** @type {const} */ ([2_000, 8_000]);
const STOPPED_MS = /** @type {const} */ ([2_000, 5_000]);
const LOG_STALL_MS = /** @type {const} */ ([5_000, 12_000]);
/** Long enough for the replica that is to hang to be found, mostly. */
const HANGS_FIRST_MS = 2_500;
/** So long a harm waits for a replica that sends. */
const NOBODY_SENDS_MS = 5_000;
const DOWN_MS = /** @type {const} */ ([0, 1_500]);

/** @typedef {(typeof HARM_NAMES)[number]} Harm */

/** Does one ordinary thing after another, as the seed says; many go on while the next begins. */
export class Harms {
  /** @type {Set<Promise<void>>} */
  underWay = new Set();
  /** @type {Harm[]} */
  deck = [];
  etcdBusy = false;
  snapshotIsOpen = false;
  /** @type {string[]} what could not be done, for people */
  failures = [];

  /**
   * @param {{
   *   random: import('../random.js').Random, timeline: import('../timeline.js').Timeline, stock: import('./stock.js').Stock,
   *   replicas: readonly import('./replica.js').OrdinaryReplica[], etcd: import('../etcd.js').Etcd, operator: import('./operator.js').Operator,
   *   receiver: import('../receiver.js').Receiver,
   *   pauses: import('./pauses.js').Pauses, database: import('./database.js').OrdinaryDatabase, settings: Record<string, string>,
   *   recovery: import('../recovery-watch.js').RecoveryWatch, burst: number, only: readonly string[] | null }} parts
   */
  constructor(parts) {
    this.parts = parts;
  }

  /** Begins the next one. */
  next() {
    if (this.deck.length === 0) this.deck = this.shuffled();
    const harm = this.deck.pop();
    if (harm === undefined) return;
    const followed = this.does(harm)
      .catch((error) => void this.failures.push(`${harm}: ${String(error)}`))
      .finally(() => this.underWay.delete(followed));
    this.underWay.add(followed);
  }

  /** Resolves when every part is itself again. */
  async settled() {
    while (this.underWay.size > 0) await Promise.all(this.underWay);
  }

  shuffled() {
    const { random, only } = this.parts;
    return HARM_NAMES.filter((name) => name !== 'legacy-rows' && (only === null || only.includes(name)))
      .map((name) => ({ name, rank: random.next() }))
      .toSorted((a, b) => a.rank - b.rank)
      .map(({ name }) => name);
  }

  /** @param {Harm} harm */
  async does(harm) {
    const { random, stock, burst } = this.parts;
    switch (harm) {
      case 'legacy-rows':
        // They are there from the beginning: nobody can add one later.
        return;
      case 'invalid-rows':
        return await this.during(`${5 * burst} rows without a phone number`, () => stock.add('invalid', 5 * burst));
      case 'bad-numbers':
        return await this.during(`${burst} bad numbers in a row`, () => stock.add('bad', burst));
      case 'cursed-rows':
        return await this.during(`${burst} rows that a trigger refuses`, () => stock.add('cursed', burst));
      case 'unmarkable-rows':
        return await this.during('20 rows that cannot be marked as sent', () => stock.add('unmarkable', 20));
      case 'locks':
        return await this.lock(Math.ceil(random.between(1, 30)), random.between(...LOCK_MS));
      case 'marks':
        return await this.during('marks by hand', () => stock.touch('marked', Math.ceil(random.between(1, 10))));
      case 'deletes':
        return await this.during('deletes by hand', () => stock.touch('deleted', Math.ceil(random.between(1, 10))));
      case 'odd-ids':
        return await this.during('ids below zero', () => stock.add('good', 5, { negative: true }));
      case 'snapshot':
        return await this.snapshot(random.between(...SNAPSHOT_MS));
      case 'typo':
        return await this.typo(false);
      case 'typo-and-restart':
        return await this.typo(true);
      case 'typo-by-api':
        return await this.typoByApi();
      case 'half-a-file':
        return await this.halfAFile(false);
      case 'half-a-file-and-restart':
        return await this.halfAFile(true);
      case 'etcd-away':
        return await this.etcdAway(false);
      case 'etcd-away-and-restart':
        return await this.etcdAway(true);
      case 'stall':
        return await this.stall(random.between(...STALL_MS));
      case 'stop':
        return await this.stop();
      case 'stop-and-restart':
        return await this.stop(async () => await this.restart(await this.victim(), 'started again while stopped'));
      case 'stop-typo-restart':
        return await this.stop(() => this.typo(true));
      case 'stop-beside-a-hang':
        return await this.stopBesideAHang(random.between(...STALL_MS));
      case 'kill':
        return await this.kill(await this.sendingVictim());
      case 'restart':
        return await this.restart(await this.victim(), 'SIGTERM, and started again');
      case 'log-stall':
        return await this.logStall(random.between(...LOG_STALL_MS));
      case 'log-full':
        return await this.logFull();
    }
  }

  /**
   * @param {number} count
   * @param {number} forMs
   */
  async lock(count, forMs) {
    const release = await this.parts.stock.lock(count);
    await this.during(`${count} messages at the head locked by somebody`, () => sleep(forMs));
    await release();
  }

  /** @param {number} forMs */
  async snapshot(forMs) {
    if (this.snapshotIsOpen) return;
    this.snapshotIsOpen = true;
    const close = await this.parts.database.openSnapshot();
    await this.during('an old snapshot is kept open', () => sleep(forMs));
    await close();
    this.snapshotIsOpen = false;
  }

  /** @param {boolean} andRestart */
  async typo(andRestart) {
    const { random, settings } = this.parts;
    // A process that starts with a typo is asked what it brings to the fleet: state, pace and policy.
    const [key, values] = random.pick(andRestart ? TYPOS.slice(0, 4) : TYPOS);
    const value = random.pick(values);
    await this.withEtcd(`etcd has ${key}=${value.slice(0, 30)}`, async (etcd) => {
      await etcd.put(key, value);
      if (andRestart)
        await this.restart(await this.victim(), `started again while etcd has ${key}=${value.slice(0, 30)}`);
      await sleep(random.between(...TYPO_MS));
      await etcd.put(key, settings[key] ?? '');
    });
  }

  async typoByApi() {
    const { random } = this.parts;
    const [key, values] = random.pick(TYPOS);
    const body = JSON.stringify({ value: random.pick(values) });
    const headers = { 'content-type': 'application/json' };
    await this.during(`PUT /config/${key} ${body.slice(0, 40)}`, async () => {
      await (await this.victim()).call(`/config/${key}`, 'operator', { method: 'PUT', headers, body }, 10_000);
    });
  }

  /** @param {boolean} andRestart */
  async halfAFile(andRestart) {
    const { random } = this.parts;
    const replica = await this.victim();
    const half = random.pick(HALVES);
    const how = `its YAML is ${JSON.stringify(half)}`;
    await this.during(how, async () => {
      writeFileSync(replica.yaml, half);
      if (andRestart) await this.restart(replica, `started again while ${how}`);
      await sleep(random.between(...HALF_MS));
      writeFileSync(replica.yaml, replica.goodYaml);
    });
  }

  /** @param {boolean} andRestart */
  async etcdAway(andRestart) {
    await this.withEtcd('etcd is away', async (etcd) => {
      await etcd.stop();
      if (andRestart) await this.restart(await this.victim(), 'started again while etcd is away');
      await sleep(this.parts.random.between(...AWAY_MS));
      await etcd.startAgain();
    });
  }

  /** @param {number} forMs */
  async stall(forMs) {
    const { timeline, pauses } = this.parts;
    const replica = await this.sendingVictim();
    const awake = timeline.begin('stall', `SIGSTOP for ${Math.round(forMs)} ms`, replica.index);
    const { pid } = replica;
    replica.stall();
    const lost = pauses.whileOwning(pid, `replica ${replica.index} hangs with a job`, Date.now());
    await sleep(forMs);
    replica.wake();
    awake();
    await lost;
  }

  /**
   * Requests of a replica that hangs are in flight when the operator stops; it wakes up later.
   * @param {number} forMs
   */
  async stopBesideAHang(forMs) {
    const stalled = this.stall(forMs);
    await sleep(HANGS_FIRST_MS);
    await Promise.all([stalled, this.stop()]);
  }

  /** @param {() => Promise<void>} meanwhile */
  async stop(meanwhile = async () => undefined) {
    const { operator, random, pauses } = this.parts;
    if (operator.busy) return;
    operator.busy = true;
    const over = pauses.begin('stopped by the operator');
    await this.during('an operator stops', async () => {
      await operator.stop();
      await meanwhile();
      await sleep(random.between(...STOPPED_MS));
      await operator.start();
    });
    over();
    operator.busy = false;
  }

  /** @param {import('./replica.js').OrdinaryReplica} replica */
  async kill(replica) {
    const { timeline, pauses, random, recovery } = this.parts;
    const { pid } = replica;
    const killed = replica.kill();
    timeline.note('kill', 'SIGKILL', replica.index);
    const at = Date.now();
    await killed;
    recovery.follow(replica.index, pid);
    const lost = pauses.whileOwning(pid, `replica ${replica.index} was killed with a job`, at);
    await sleep(random.between(...DOWN_MS));
    replica.start();
    await lost;
  }

  /**
   * As a rollout does it: what it had in hand is finished or given back.
   * @param {import('./replica.js').OrdinaryReplica} replica
   * @param {string} how
   */
  async restart(replica, how) {
    const over = this.parts.timeline.begin('ordinary', how, replica.index);
    await replica.stop();
    await sleep(this.parts.random.between(...DOWN_MS));
    replica.start();
    over();
  }

  /** @param {number} forMs */
  async logStall(forMs) {
    const replica = await this.victim();
    const readAgain = replica.stallOutput();
    await this.during(`nobody reads the output of replica ${replica.index}`, () => sleep(forMs));
    readAgain();
  }

  /** Its output leads to a full disk until it is started again. */
  async logFull() {
    const replica = await this.victim();
    replica.diskIsFull = true;
    await this.restart(replica, 'started again with its output on a full disk');
    await this.during(`the output of replica ${replica.index} is on a full disk`, () => sleep(LOG_STALL_MS[1]));
    replica.diskIsFull = false;
    await this.restart(replica, 'started again with room for its output');
  }

  /** A replica that has requests in flight; any, when nobody sends for a while. */
  async sendingVictim() {
    const giveUpAt = Date.now() + NOBODY_SENDS_MS;
    for (;;) {
      const { sending } = await this.parts.receiver.stats();
      const victim = this.parts.replicas.find(
        ({ index, listening, stalled, killing }) => listening && !stalled && !killing && sending.includes(index),
      );
      if (victim !== undefined && this.up().length > 1) return victim;
      if (Date.now() > giveUpAt) return await this.victim();
      await sleep(10);
    }
  }

  /** A replica that is up, and not the last one: somebody can always send, start and stop. */
  async victim() {
    while (this.up().length < 2) await sleep(50);
    return this.parts.random.pick(this.up());
  }

  up() {
    return this.parts.replicas.filter(({ listening, stalled, killing }) => listening && !stalled && !killing);
  }

  /**
   * @param {string} how
   * @param {(etcd: import('../etcd.js').Etcd) => Promise<void>} harm
   */
  async withEtcd(how, harm) {
    if (this.etcdBusy) return;
    this.etcdBusy = true;
    await this.during(how, () => harm(this.parts.etcd));
    this.etcdBusy = false;
  }

  /**
   * @param {string} how
   * @param {() => Promise<unknown>} harm
   */
  async during(how, harm) {
    const over = this.parts.timeline.begin('ordinary', how);
    await harm();
    over();
  }
}
