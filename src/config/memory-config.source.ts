import { ConfigSource, type ConfigDocument, type RawEntry, type RawValue, type SourceStatus } from './config-source.js';

/** A source that holds what it is told, for tests and for embedding: changes are delivered before `set` returns. */
export class MemoryConfigSource implements ConfigSource {
  readonly name = 'memory';
  readonly status: SourceStatus = { connected: true, since: new Date(), problem: null };
  private readonly entries = new Map<string, RawEntry>();
  private version = 0;
  private onDocument: ((document: ConfigDocument) => void) | null = null;

  constructor(values: Readonly<Record<string, RawValue>> = {}) {
    for (const [key, raw] of Object.entries(values)) this.entries.set(key, { raw, version: '0' });
  }

  watch(onDocument: (document: ConfigDocument) => void, signal: AbortSignal): Promise<void> {
    if (!signal.aborted) {
      this.onDocument = onDocument;
      signal.addEventListener('abort', () => (this.onDocument = null), { once: true });
      this.deliver();
    }
    return Promise.resolve();
  }

  stopped(): Promise<void> {
    return Promise.resolve();
  }

  /** Sets each key, or deletes it where the value is null. */
  set(values: Readonly<Record<string, RawValue | null>>): void {
    this.version += 1;
    for (const [key, raw] of Object.entries(values)) {
      if (raw === null) this.entries.delete(key);
      else this.entries.set(key, { raw, version: String(this.version) });
    }
    this.deliver();
  }

  private deliver(): void {
    this.onDocument?.({ entries: new Map(this.entries), version: String(this.version) });
  }
}
