import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigDocument, ConfigSource } from '../src/config/config-source.js';
import { eventually } from './support/eventually.js';

/** A source, and the hands that change what it reads. */
export interface Subject {
  readonly source: ConfigSource;
  /** Makes these the only keys. */
  write(values: Readonly<Record<string, string>>): Promise<void>;
  close(): Promise<void>;
}

/** What every ConfigSource must do. Called once for each implementation. */
export function describeConfigSource(name: string, make: () => Promise<Subject>): void {
  describe(`${name} as a ConfigSource`, () => {
    let subject: Subject;
    let stopping: AbortController;
    let documents: ConfigDocument[];
    const values = () => Object.fromEntries([...(documents.at(-1)?.entries ?? [])].map(([key, { raw }]) => [key, raw]));
    const watch = () => subject.source.watch((document) => documents.push(document), stopping.signal);

    beforeEach(async () => {
      subject = await make();
      stopping = new AbortController();
      documents = [];
    });
    afterEach(async () => {
      stopping.abort();
      await subject.source.stopped();
      await subject.close();
    });

    it('hands over an empty document when nothing was ever written', async () => {
      await watch();
      expect(documents).toHaveLength(1);
      expect(values()).toEqual({});
      expect(subject.source.status).toMatchObject({ connected: true, problem: null });
    });

    it('hands over what is there before watch() resolves, as text', async () => {
      await subject.write({ rate_limit: '7', scheduler_interval: '"0x10"', webhook_url: 'http://h/?a=1' });
      await watch();
      expect(values()).toMatchObject({ rate_limit: '7', webhook_url: 'http://h/?a=1' });
      expect(documents[0]?.version).not.toBe('');
    });

    it('delivers a write made right after watch() resolved', async () => {
      await watch();
      await subject.write({ rate_limit: '7' });
      await eventually(() => expect(values()).toEqual({ rate_limit: '7' }));
    });

    it('ends with the newest values after many writes at once, and with another version', async () => {
      await subject.write({ rate_limit: '1', max_attempts: '1' });
      await watch();
      const first = documents[0]?.version;
      for (let value = 2; value <= 20; value += 1) await subject.write({ rate_limit: String(value) });
      // A file that lacks a key has to be quiet for a while.
      await eventually(() => expect(values()).toEqual({ rate_limit: '20' }), 15_000);
      expect(documents.at(-1)?.version).not.toBe(first);
    });

    it('stops calling after the signal aborts, and releases what it held', async () => {
      await watch();
      stopping.abort();
      await subject.source.stopped();
      const count = documents.length;
      await subject.write({ rate_limit: '7' });
      // The one place where time has to pass: nothing is what must happen.
      await sleep(200);
      expect(documents).toHaveLength(count);
    });

    it('does not call at all when the signal was aborted before', async () => {
      stopping.abort();
      await watch();
      expect(documents).toHaveLength(0);
    });
  });
}
