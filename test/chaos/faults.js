import { setTimeout as sleep } from 'node:timers/promises';

/** A lease lasts 10 s; one that hangs longer has lost its job by the time it wakes. */
const STALL_MS = /** @type {const} */ ([11_000, 15_000]);
/** How long a hanging replica is left alone until another one is seen at its messages. */
const TAKEN_OVER_MS = 30_000;
const DOWN_MS = /** @type {const} */ ([300, 7_000]);
/** Receipts are in Redis well within this of an answer, also while PostgreSQL is away. */
const CUT_BEFORE_KILL_MS = /** @type {const} */ ([3_000, 5_000]);
/** So long a fault waits for a replica with requests in flight. */
const NOBODY_SENDS_MS = 2_000;
const RESTART_MS = /** @type {const} */ ([0, 1_500]);

/** How often each kind of fault is chosen. Their order and the seed decide all that is chosen. */
const WEIGHTS = /** @type {const} */ ([
  [86, 'kill'],
  [2, 'kill-all'],
  [2, 'stall'],
  [2, 'stall-until-taken-over'],
  [2, 'redis-down'],
  [2, 'redis-flush'],
  [2, 'postgres-down'],
  [2, 'cut-and-kill'],
]);

export const FAULT_NAMES = WEIGHTS.map(([, name]) => name);

/** Does harm, one thing after another, as the seed says; outages and stalls go on while the next thing is done. */
export class Faults {
  /** @type {Set<Promise<void>>} */
  underWay = new Set();
  postgresBusy = false;
  redisBusy = false;
  stallBusy = false;

  /**
   * @param {{
   *   random: import('./random.js').Random, timeline: import('./timeline.js').Timeline, replicas: readonly import('./replica.js').Replica[],
   *   postgres: import('./postgres.js').Postgres, redis: import('./redis.js').Redis, receiver: import('./receiver.js').Receiver,
   *   recovery: import('./recovery-watch.js').RecoveryWatch, only: readonly string[] | null }} parts
   */
  constructor(parts) {
    this.parts = parts;
    this.weights = WEIGHTS.filter(([, name]) => parts.only === null || parts.only.includes(name));
  }

  /** Does the next thing; resolves when it has begun. */
  async next() {
    const { random } = this.parts;
    const name = random.weigh(this.weights);
    switch (name) {
      case 'kill':
        return await this.killOne();
      case 'kill-all':
        return await this.killAll();
      case 'stall':
        return this.goOn(this.stall(random.between(...STALL_MS)));
      case 'stall-until-taken-over':
        return this.goOn(this.stallUntilTakenOver());
      case 'redis-down':
        return this.goOn(this.redisDown(random.pick(['SIGTERM', 'SIGKILL']), random.between(...DOWN_MS)));
      case 'redis-flush':
        return this.goOn(this.redisFlush());
      case 'postgres-down':
        return this.goOn(this.postgresDown(random.pick(['fast', 'immediate']), random.between(...DOWN_MS)));
      case 'cut-and-kill':
        return this.goOn(this.cutAndKill(random.pick(['fast', 'immediate']), random.between(...CUT_BEFORE_KILL_MS)));
    }
  }

  /** Resolves when every part is itself again. */
  async settled() {
    while (this.underWay.size > 0) await Promise.all(this.underWay);
  }

  async killOne() {
    await this.kill(await this.victim(), 'SIGKILL');
  }

  async killAll() {
    await Promise.all(
      this.parts.replicas.filter(({ alive }) => alive).map((replica) => this.kill(replica, 'SIGKILL of all')),
    );
  }

  /** @param {number} forMs */
  async stall(forMs) {
    const replica = await this.victim();
    const awake = this.parts.timeline.begin('stall', `SIGSTOP for ${Math.round(forMs)} ms`, replica.index);
    replica.stall();
    await sleep(forMs);
    replica.wake();
    awake();
  }

  async stallUntilTakenOver() {
    await this.exclusively('stallBusy', () => this.stallOneUntilTakenOver());
  }

  async stallOneUntilTakenOver() {
    const replica = await this.victim();
    const awake = this.parts.timeline.begin('stall', 'SIGSTOP until another replica sends its messages', replica.index);
    replica.stall();
    const unwatch = await this.parts.receiver.seenAgain(replica.index, TAKEN_OVER_MS);
    replica.wake();
    awake();
    await sleep(2_000);
    unwatch();
  }

  /**
   * @param {'SIGTERM' | 'SIGKILL'} signal
   * @param {number} forMs
   */
  async redisDown(signal, forMs) {
    await this.exclusively('redisBusy', async () => {
      const back = this.parts.timeline.begin('redis', `${signal}, down for ${Math.round(forMs)} ms, then empty`);
      await this.parts.redis.stop(signal);
      await sleep(forMs);
      await this.parts.redis.startAgain();
      back();
    });
  }

  async redisFlush() {
    await this.exclusively('redisBusy', async () => {
      this.parts.timeline.note('redis', 'FLUSHALL');
      await this.parts.redis.flush();
    });
  }

  /**
   * @param {'fast' | 'immediate'} mode
   * @param {number} forMs
   */
  async postgresDown(mode, forMs) {
    await this.exclusively('postgresBusy', async () => {
      const back = this.parts.timeline.begin('postgres', `${mode} stop, down for ${Math.round(forMs)} ms`);
      await this.parts.postgres.stop(mode);
      await sleep(forMs);
      await this.parts.postgres.startAgain();
      back();
    });
  }

  /**
   * Takes PostgreSQL away under a replica that is sending, and later the replica: of what it sent, receipts are all that is left.
   * @param {'fast' | 'immediate'} mode
   * @param {number} killAfterMs
   */
  async cutAndKill(mode, killAfterMs) {
    await this.exclusively('postgresBusy', async () => {
      const replica = await this.victim();
      const back = this.parts.timeline.begin('postgres', `${mode} stop, and replica ${replica.index} killed meanwhile`);
      await this.parts.postgres.stop(mode);
      await sleep(killAfterMs);
      if (replica.alive && !replica.stalled) await this.kill(replica, 'SIGKILL while PostgreSQL is away');
      await this.parts.postgres.startAgain();
      back();
    });
  }

  /**
   * @param {import('./replica.js').Replica} replica
   * @param {string} how
   */
  async kill(replica, how) {
    const { random, recovery, timeline } = this.parts;
    const pauseMs = random.between(...RESTART_MS);
    const { pid } = replica;
    const killed = replica.kill();
    timeline.note('kill', how, replica.index);
    await killed;
    recovery.follow(replica.index, pid);
    this.goOn(sleep(pauseMs).then(() => replica.start()));
  }

  /** A replica that has requests in flight, or, when nobody sends for a while, one that is up. */
  async victim() {
    const { random, receiver, replicas } = this.parts;
    const giveUpAt = Date.now() + NOBODY_SENDS_MS;
    for (;;) {
      const { sending } = await receiver.stats();
      const up = replicas.filter((replica) => replica.listening && !replica.stalled && !replica.killing);
      const busy = up.filter(({ index }) => sending.includes(index));
      if (busy.length > 0) return random.pick(busy);
      if (up.length > 0 && Date.now() > giveUpAt) return random.pick(up);
      await sleep(20);
    }
  }

  /**
   * @param {'postgresBusy' | 'redisBusy' | 'stallBusy'} part
   * @param {() => Promise<void>} harm
   */
  async exclusively(part, harm) {
    if (this[part]) return;
    this[part] = true;
    await harm();
    this[part] = false;
  }

  /** @param {Promise<void>} harm */
  goOn(harm) {
    const followed = harm.finally(() => this.underWay.delete(followed));
    this.underWay.add(followed);
    // Whoever awaits `settled` hears of it.
    followed.catch(() => undefined);
  }
}
