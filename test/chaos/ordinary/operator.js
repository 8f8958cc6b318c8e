import { setTimeout as sleep } from 'node:timers/promises';

const ANSWER_MS = 8_000;
const ASK_AGAIN_MS = 500;
/** A stop that nobody confirms for so long is given up; the verdict says so. */
const GIVE_UP_MS = 60_000;

/** Whoever stops and starts sending by the API. One at a time. */
export class Operator {
  /** @type {import('./types.js').StopWord[]} */
  words = [];
  busy = false;

  /**
   * @param {readonly import('./replica.js').OrdinaryReplica[]} replicas
   * @param {import('../random.js').Random} random
   */
  constructor(replicas, random) {
    this.replicas = replicas;
    this.random = random;
  }

  /** Stops, and resolves when "Stopped" was answered, or nobody did. */
  async stop() {
    /** @type {import('./types.js').StopWord} */
    const word = { askedAt: Date.now(), saidAt: null, startedAt: null, runsAt: null, replies: [] };
    this.words.push(word);
    const giveUpAt = Date.now() + GIVE_UP_MS;
    while (Date.now() < giveUpAt) {
      const reply = await this.ask('/stop');
      if (reply === '200 "Stopped"') {
        word.saidAt = Date.now();
        return;
      }
      word.replies.push(reply);
      await sleep(ASK_AGAIN_MS);
    }
  }

  /** Starts again; resolves when it was answered. */
  async start() {
    const word = this.words.at(-1);
    if (word !== undefined) word.startedAt = Date.now();
    const giveUpAt = Date.now() + GIVE_UP_MS;
    while ((await this.ask('/start')) !== '200 "Started"' && Date.now() < giveUpAt) await sleep(ASK_AGAIN_MS);
    if (word !== undefined) word.runsAt = Date.now();
  }

  /** @param {string} path */
  async ask(path) {
    const up = this.replicas.filter(({ listening, stalled, killing }) => listening && !stalled && !killing);
    if (up.length === 0) return 'nobody is up';
    try {
      const reply = await this.random.pick(up).call(path, 'operator', { method: 'POST' }, ANSWER_MS);
      return `${reply.status} ${await reply.text()}`;
    } catch (error) {
      return String(error);
    }
  }
}
