import { readFile, stat } from 'node:fs/promises';
import { unwatchFile, watchFile } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { watch } from 'chokidar';
import { codeOf } from '../described-error.js';
import { ConfigSource, type ConfigDocument, type RawEntry, type SourceStatus } from './config-source.js';
import { parseYamlMapping } from './read-yaml-file.js';

// A writer that truncates and writes shows two states; what stays the same this long is taken as written.
const QUIET_MS = 50;
const FRESH_MS = 2000;
// A writer that takes its time shows a file that lacks keys; a key is gone once the file has lacked it, unchanged, for so long.
const REMOVAL_QUIET_MS = 3000;
// For file systems that report nothing (network mounts, Docker Desktop).
const STAT_INTERVAL_MS = 2000;

// All settings with all their comments are a few kilobytes; parsing much more would hold up the process.
const MAX_FILE_BYTES = 32_768;

type Reading =
  | { readonly text: string; readonly version: string; readonly changedAt: number; readonly placedAt: number }
  | { readonly problem: string; readonly absent: boolean };

/**
 * A watched YAML file. Sees writes in place, editors that rename, and swapped symlinks (ConfigMaps).
 * A key that is removed counts until the file has been quiet for three seconds: a file may be written line by line.
 * A file that is broken, emptied or gone at run time leaves the last good document in force, with one warning;
 * a file that is absent from the start holds nothing, and of one that is broken from the start nothing is known.
 */
export class YamlConfigSource implements ConfigSource {
  readonly name = 'file';
  private readonly logger = new Logger(YamlConfigSource.name);
  private state: SourceStatus = { connected: false, since: new Date(), problem: 'not read yet' };
  private last: string | null = null;
  private lastVersion = '';
  /** What was handed over, and what of it the file holds. */
  private entries: ReadonlyMap<string, RawEntry> = new Map();
  private written: ReadonlyMap<string, RawEntry> = new Map();
  private removal: NodeJS.Timeout | null = null;
  private delivered = false;
  private changed = false;
  private warned = false;
  private running: Promise<void> = Promise.resolve();
  private release: Promise<unknown> = Promise.resolve();

  constructor(private readonly path: string) {}

  get status(): SourceStatus {
    return this.state;
  }

  async watch(onDocument: (document: ConfigDocument) => void, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.delivered = false;
    this.last = null;
    this.entries = new Map();
    let active = false;
    const onChange = (): void => {
      this.changed = true;
      if (active || signal.aborted) return;
      active = true;
      this.running = this.refresh(onDocument, signal).finally(() => (active = false));
    };
    // Watching begins before the first reading, so that no write falls between the two.
    await this.open(onChange, signal);
    onChange();
    await this.running;
  }

  async stopped(): Promise<void> {
    await this.release;
    await this.running;
  }

  private async open(onChange: () => void, signal: AbortSignal): Promise<void> {
    // The folder, not the file: a renamed file is a new one, and of a ConfigMap only the folder's link `..data` changes.
    const watcher = watch(dirname(this.path), {
      depth: 0,
      ignoreInitial: true,
      ignorePermissionErrors: true,
      // Followed, a link that is replaced by another is no change.
      followSymlinks: false,
    });
    watcher.on('all', onChange);
    watcher.on('error', (error) => {
      this.logger.warn(`${this.path} is watched every ${STAT_INTERVAL_MS / 1000} s only: ${String(error)}`);
    });
    watchFile(this.path, { interval: STAT_INTERVAL_MS, persistent: false }, onChange);
    const close = (): void => {
      unwatchFile(this.path, onChange);
      this.keepRemoved();
      this.release = watcher.close();
    };
    signal.addEventListener('abort', close, { once: true });
    await Promise.race([
      new Promise<void>((resolve) => watcher.once('ready', resolve)),
      sleep(1000, undefined, { ref: false }),
    ]);
  }

  private async refresh(onDocument: (document: ConfigDocument) => void, signal: AbortSignal): Promise<void> {
    while (this.changed && !signal.aborted) {
      this.changed = false;
      const reading = await this.settledReading();
      if (signal.aborted) return;
      this.take(reading, onDocument);
    }
  }

  /** What the file holds once it has stopped changing; one that nobody has touched lately needs no waiting at the start. */
  private async settledReading(): Promise<Reading> {
    let reading = await this.read();
    const mayBeUnderWay = this.delivered || ('text' in reading && Date.now() - reading.changedAt < FRESH_MS);
    for (let round = mayBeUnderWay ? 0 : 10; round < 10; round += 1) {
      await sleep(QUIET_MS);
      const again = await this.read();
      if (JSON.stringify(again) === JSON.stringify(reading)) break;
      reading = again;
    }
    return reading;
  }

  private async read(): Promise<Reading> {
    try {
      const { mtime, ctime, size } = await stat(this.path);
      if (size > MAX_FILE_BYTES) return { problem: `it is larger than ${MAX_FILE_BYTES} bytes`, absent: false };
      const text = await readFile(this.path, 'utf8');
      const changedAt = mtime.getTime();
      return { text, version: mtime.toISOString(), changedAt, placedAt: Math.max(changedAt, ctime.getTime()) };
    } catch (error) {
      const code = codeOf(error);
      const absent = code === 'ENOENT' || code === 'ENOTDIR';
      return { problem: absent ? 'there is no such file' : `it cannot be read (${code ?? String(error)})`, absent };
    }
  }

  private take(reading: Reading, onDocument: (document: ConfigDocument) => void): void {
    if ('problem' in reading) {
      this.keepRemoved();
      if (!reading.absent || this.last !== null) this.report(false, reading.problem);
      else {
        this.report(true, null);
        this.deliverAbsence(onDocument);
      }
      return;
    }
    if (reading.text === this.last) {
      this.report(true, null);
      // Written once more: whoever writes may not have come to the end.
      if (this.removal === null || reading.version !== this.lastVersion) this.removeWhenQuiet(onDocument);
      this.lastVersion = reading.version;
      return;
    }
    this.keepRemoved();
    // Emptied, but not even a comment left: a write that has not come to its end.
    if (reading.text.trim() === '') {
      this.report(false, 'it is empty; to unset all keys, leave a comment in it');
      return;
    }
    try {
      const values = parseYamlMapping(reading.text);
      const entries = new Map<string, RawEntry>();
      for (const [key, raw] of values) entries.set(key, { raw, version: reading.version });
      this.last = reading.text;
      this.lastVersion = reading.version;
      this.delivered = true;
      this.report(true, null);
      // What is missing stays until the file has been quiet: it may be half written.
      const removed = [...this.entries].filter(([key]) => !entries.has(key));
      this.entries = new Map([...removed, ...entries]);
      this.written = entries;
      onDocument({ entries: this.entries, version: reading.version, placedAt: reading.placedAt });
      this.removeWhenQuiet(onDocument);
    } catch (error) {
      this.report(false, `it is not valid YAML: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Lets go of the keys that the file lacks, unless it changes before `REMOVAL_QUIET_MS` have passed. */
  private removeWhenQuiet(onDocument: (document: ConfigDocument) => void): void {
    this.keepRemoved();
    if (this.entries.size === this.written.size) return;
    this.removal = setTimeout(() => {
      this.removal = null;
      this.entries = this.written;
      onDocument({ entries: this.entries, version: this.lastVersion });
    }, REMOVAL_QUIET_MS);
  }

  private keepRemoved(): void {
    if (this.removal !== null) clearTimeout(this.removal);
    this.removal = null;
  }

  private deliverAbsence(onDocument: (document: ConfigDocument) => void): void {
    if (this.delivered) return;
    this.delivered = true;
    onDocument({ entries: new Map(), version: 'absent' });
  }

  private report(connected: boolean, problem: string | null): void {
    if (connected === this.state.connected && problem === this.state.problem) return;
    this.state = { connected, since: new Date(), problem };
    const follows = this.delivered
      ? 'the last good values stay in force'
      : 'what it may hold is unknown until it can be read';
    if (problem !== null) this.logger.warn(`${this.path}: ${problem}; ${follows}`);
    else if (this.warned) this.logger.log(`${this.path} is read again`);
    this.warned = problem !== null;
  }
}
