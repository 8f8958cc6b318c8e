import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { maskUrl } from './mask-url.js';
import { ConfigUnavailable, ConfigChangedMeanwhile } from './config-errors.js';
import { ConfigSource, type ConfigDocument, type SourceStatus } from './config-source.js';
import { EtcdConnection, type EtcdAccess } from './etcd-connection.js';
import { EtcdDocument } from './etcd-document.js';

// Reads everything again: finds a member that hangs or that lost its cluster, and mends what a watch may have missed.
const REREAD_MS = 10_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1000;
// A connection that lived shorter than this was none: it neither resets the pause nor is worth a line in the log.
const STABLE_MS = 5000;
const LOG_EVERY_MS = 30_000;

type Deliver = (document: ConfigDocument) => void;

/**
 * The keys below a prefix in etcd, followed by a watch. Whatever happens to etcd (restarts, compaction, cuts,
 * logins that expire, lost leaders), it is connected again within about a second after etcd answers, reads everything
 * and goes on from there; until then the last good values stay.
 */
export class EtcdConfigSource implements ConfigSource {
  readonly name = 'etcd';
  private readonly logger = new Logger(EtcdConfigSource.name);
  private readonly known: EtcdDocument;
  private state: SourceStatus = { connected: false, since: new Date(), problem: 'not read yet' };
  private connection: EtcdConnection | null = null;
  private deliver: Deliver = () => undefined;
  private running: Promise<void> = Promise.resolve();
  private saidEmpty = false;
  /** When the newest full read was asked for. */
  private readAskedAt = -Infinity;
  /** Whether the next full read is handed over even if nothing differs. */
  private isAskedAgain = false;
  private lossLogged = false;
  private lossLoggedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly access: EtcdAccess) {
    this.known = new EtcdDocument(access.etcdPrefix);
  }

  get status(): SourceStatus {
    return this.state;
  }

  async watch(onDocument: Deliver, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.deliver = (document) => {
        if (signal.aborted) return;
        onDocument(document);
        resolve();
      };
      signal.addEventListener('abort', () => resolve(), { once: true });
      this.running = this.loop(signal);
    });
  }

  stopped(): Promise<void> {
    return this.running;
  }

  /**
   * Puts `value`, or deletes the key where it is null. With `expected`, only if the key's revision is still that
   * one; without, only if nobody else writes it in the meantime. Resolves with the new revision once etcd has it.
   * @throws ConfigChangedMeanwhile, ConfigUnavailable
   */
  async write(name: string, value: string | null, expected?: string): Promise<string> {
    const { connection } = this;
    if (connection === null) throw new ConfigUnavailable(this.state.connected ? new Date() : this.state.since);
    let revision: string | null;
    try {
      revision = await connection.swap(name, value, expected ?? (await connection.revisionOf(name)));
    } catch (error) {
      throw new ConfigUnavailable(new Date(), error);
    }
    if (revision === null) throw new ConfigChangedMeanwhile(name);
    if (value === null && this.known.forget(name)) this.deliver(this.document);
    return revision;
  }

  readAgain(): void {
    this.isAskedAgain = true;
    // A connection that fails is replaced, and what follows reads everything anyway.
    if (this.connection !== null) void this.reread(this.connection).catch(() => undefined);
  }

  /**
   * Resolves once every write that was confirmed before is in force here.
   * @throws ConfigUnavailable
   */
  async catchUp(): Promise<void> {
    const { connection } = this;
    try {
      if (connection === null) throw new Error('the connection was lost');
      await this.reread(connection);
    } catch (error) {
      throw new ConfigUnavailable(new Date(), error);
    }
  }

  private async loop(signal: AbortSignal): Promise<void> {
    const { etcdEndpoints } = this.access;
    for (let turn = 0, failures = 0; !signal.aborted; turn += 1) {
      const endpoint = etcdEndpoints[turn % etcdEndpoints.length] ?? '';
      const startedAt = performance.now();
      const error = await this.session(endpoint, signal).catch((reason: unknown) => reason);
      if (signal.aborted) return;
      // A connection that was good and ends (a token that ran out, a new leader) is news only if no other follows it.
      const wasStable = this.state.connected && performance.now() - startedAt > STABLE_MS;
      if (!wasStable) this.reportLoss(endpoint, error);
      failures = wasStable ? 0 : failures + 1;
      const pauseMs = FIRST_PAUSE_MS * 2 ** Math.floor(failures / etcdEndpoints.length);
      await sleep(Math.min(pauseMs, LONGEST_PAUSE_MS), undefined, { signal }).catch(() => undefined);
    }
  }

  /** From the login to the first failure, which it throws; or until `signal` aborts. */
  private async session(endpoint: string, signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const aborted = new Promise<void>((resolve) => {
      const onAbort = (): void => resolve();
      signal.addEventListener('abort', onAbort, { once: true, signal: ended.signal });
      if (signal.aborted) resolve();
    });
    const connection = await EtcdConnection.open(endpoint, this.access);
    try {
      await this.reread(connection);
      this.connection = connection;
      this.reportConnected(endpoint);
      const following = connection.follow(this.known.revision, (response) => {
        if (this.known.takeEvents(response)) this.publish();
      });
      await Promise.race([aborted, following, this.rereadFromTimeToTime(connection, ended.signal)]);
    } finally {
      ended.abort();
      this.connection = null;
      await connection.close();
    }
  }

  private async rereadFromTimeToTime(connection: EtcdConnection, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(REREAD_MS, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) await this.reread(connection);
    }
  }

  private async reread(connection: EtcdConnection): Promise<void> {
    const askedAt = this.known.revision;
    const readAskedAt = performance.now();
    const differs = this.known.takeRead(await connection.read(), askedAt);
    this.readAskedAt = Math.max(this.readAskedAt, readAskedAt);
    if (differs || this.isAskedAgain) this.publish();
    if (!this.saidEmpty && this.known.document.entries.size === 0) {
      this.saidEmpty = true;
      this.logger.warn(
        `etcd holds no setting below ${this.access.etcdPrefix}: the YAML file and the defaults count here, and change nothing that ` +
          `other replicas have from etcd. If settings are elsewhere, correct APP_REMOTE_ETCD_PREFIX`,
      );
    }
  }

  private publish(): void {
    const names = this.known.retainedKeys;
    const problem =
      names.length === 0
        ? null
        : `the store was replaced by one without ${names.join(', ')}; the last good values stay until they are written again`;
    if (problem !== null && problem !== this.state.problem) this.logger.warn(`etcd: ${problem}`);
    this.state = { ...this.state, problem };
    this.isAskedAgain = false;
    this.deliver(this.document);
  }

  private get document(): ConfigDocument {
    const { document } = this.known;
    if (document.history === undefined) return document;
    return { ...document, history: { ...document.history, readAskedAt: this.readAskedAt } };
  }

  private reportConnected(endpoint: string): void {
    if (this.state.connected) return;
    const problem = this.known.retainedKeys.length === 0 ? null : this.state.problem;
    this.state = { connected: true, since: new Date(), problem };
    if (this.lossLogged) this.logger.log(`etcd at ${endpoint} is read again, at revision ${this.known.revision}`);
    this.lossLogged = false;
  }

  private reportLoss(endpoint: string, error: unknown): void {
    const problem = maskUrl(error instanceof Error ? error.message : String(error)).slice(0, 200);
    const since = this.state.connected || this.state.problem === null ? new Date() : this.state.since;
    this.state = { connected: false, since, problem };
    // One line per outage, and never more than two a minute: somebody may be restarting etcd over and over.
    if (this.lossLogged || performance.now() - this.lossLoggedAt < LOG_EVERY_MS) return;
    this.lossLogged = true;
    this.lossLoggedAt = performance.now();
    this.logger.warn(`etcd at ${endpoint} is out of reach (${problem}); the last good values stay, trying again`);
  }
}
