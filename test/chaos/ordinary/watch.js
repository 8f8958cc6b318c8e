import { readdir, readFile } from 'node:fs/promises';
import { z } from 'zod';

const VITALS_MS = 1_000;
const PROBES_MS = 2_000;
const READINGS_MS = 250;
const PAGE_KB = 4;

const overview = z.looseObject({ this_replica: z.looseObject({ trouble: z.string().nullable() }).nullable() });
const report = z.looseObject({ error: z.record(z.string(), z.unknown()) });
/** Names of what the overview tells when something is wrong; null or absent when nothing is. */
const TELLING = /overdue|failing|trouble|why|problem|fail/;
/** Why an operator started or stopped is no alarm. */
const CALM = new Set(['changed_why']);

/** Reads at fixed times what the replicas take, what their probes say, and whether sending runs. */
export class Watch {
  /** @type {import('./types.js').Vital[]} */
  vitals = [];
  /** @type {import('./types.js').Probe[]} */
  probes = [];
  /** @type {import('./types.js').Reading[]} */
  readings = [];

  /**
   * @param {readonly import('./replica.js').OrdinaryReplica[]} replicas
   * @param {import('./database.js').OrdinaryDatabase} database
   */
  constructor(replicas, database) {
    this.replicas = replicas;
    this.database = database;
    this.timers = [
      setInterval(() => this.eachReplica((replica) => this.readVitals(replica)), VITALS_MS),
      setInterval(() => this.eachReplica((replica) => this.readProbes(replica)), PROBES_MS),
      setInterval(() => void this.readState().catch(() => undefined), READINGS_MS),
      setInterval(() => this.eachReplica((replica) => replica.look()), READINGS_MS),
    ];
  }

  end() {
    for (const timer of this.timers) clearInterval(timer);
  }

  /** @param {(replica: import('./replica.js').OrdinaryReplica) => Promise<void>} read */
  eachReplica(read) {
    for (const replica of this.replicas) void read(replica).catch(() => undefined);
  }

  /** @param {import('./replica.js').OrdinaryReplica} replica */
  async readVitals({ pid, index, stalled }) {
    if (pid === 0 || stalled) return;
    const pages = Number((await readFile(`/proc/${pid}/statm`, 'utf8')).split(' ')[1]);
    const { length } = await readdir(`/proc/${pid}/fd`);
    this.vitals.push({ at: Date.now(), replica: index, pid, rssMb: (pages * PAGE_KB) / 1024, descriptors: length });
  }

  /** @param {import('./replica.js').OrdinaryReplica} replica */
  async readProbes(replica) {
    if (!replica.listening || replica.stalled) return;
    const at = Date.now();
    const [live, ready, seen] = await Promise.all(
      ['/health/live', '/health/ready', '/scheduler'].map(async (path) => {
        try {
          const reply = await replica.call(path);
          return { status: reply.status, body: await reply.json() };
        } catch {
          return { status: null, body: null };
        }
      }),
    );
    const says = [...wordsOfReport(live?.body), ...wordsOfReport(ready?.body), ...wordsOfOverview(seen?.body)];
    this.probes.push({
      at,
      replica: replica.index,
      live: live?.status ?? null,
      ready: ready?.status ?? null,
      says: says.length === 0 ? null : says.join('; ').slice(0, 500),
    });
  }

  async readState() {
    const at = Date.now();
    this.readings.push({ at, ...(await this.database.state()) });
  }
}

/** @param {unknown} body */
function wordsOfReport(body) {
  const read = report.safeParse(body);
  return read.success ? Object.entries(read.data.error).map(([name, what]) => `${name}: ${JSON.stringify(what)}`) : [];
}

/** @param {unknown} body */
function wordsOfOverview(body) {
  const read = overview.safeParse(body);
  if (!read.success) return [];
  const { this_replica: own, ...shared } = read.data;
  return [...Object.entries(shared), ...Object.entries(own ?? {})].flatMap(([name, value]) =>
    TELLING.test(name) && !CALM.has(name) && value !== null && value !== 0 && value !== false
      ? [`${name}: ${JSON.stringify(value)}`]
      : [],
  );
}
