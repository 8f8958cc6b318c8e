import { Logger } from '@nestjs/common';
import { FleetAgreement } from './fleet-agreement.js';
import { LiveConfig } from './live-config.js';
import { MemoryConfigSource } from './memory-config.source.js';

const FLEET = ['auto_sending', 'scheduler_interval'];
const keysOf = (agreement: FleetAgreement) => agreement.consider(null).brings.map(({ key, value }) => [key, value]);

describe('FleetAgreement', () => {
  const started: LiveConfig[] = [];
  const warnings: string[] = [];
  beforeEach(() => {
    warnings.length = 0;
    Logger.overrideLogger({
      log: () => undefined,
      error: () => undefined,
      warn: (text: unknown) => warnings.push(String(text)),
    });
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((live) => live.stop()));
    Logger.overrideLogger(['log', 'warn', 'error']);
  });

  async function replica(values: Readonly<Record<string, string>>) {
    const source = new MemoryConfigSource(values);
    const live = new LiveConfig([source]);
    started.push(live);
    await live.start();
    return { source, live, agreement: new FleetAgreement(live) };
  }

  it('brings everything but secrets and the address at the first boot, and then what changed, until that is written', async () => {
    const { source, live, agreement } = await replica({ webhook_url: 'http://h/', webhook_auth_key: 's3cret' });
    const first = agreement.consider(null);
    expect(first.brings).toHaveLength(15);
    expect(JSON.stringify(first)).not.toMatch(/webhook_url|auth_key|signing/);
    agreement.settle(first, 1000);
    expect(keysOf(agreement)).toEqual([]);
    source.set({ scheduler_interval: '7' });
    expect(keysOf(agreement)).toEqual([['scheduler_interval', 7]]);
    // The write was lost to another replica's: it is still news, and so is what came while it was under way.
    const second = agreement.consider(null);
    source.set({ rate_limit: '9' });
    agreement.settle(second, 2000);
    expect(keysOf(agreement)).toEqual([['rate_limit', 9]]);
    expect(live.fleetSetting('scheduler_interval')).toMatchObject({ value: 7, setAt: 2000 });
    expect(warnings).toEqual([]);
  });

  it('brings nothing that it found at its start and the fleet has otherwise, says so once, and once it has changed brings it', async () => {
    const { source, live, agreement } = await replica({ scheduler_interval: '120', auto_sending: 'false' });
    const held = [
      { key: 'scheduler_interval', value: 2, source: 'file', origin: '', version: 'x', setAt: 1000 },
      { key: 'auto_sending', value: true, source: 'file', origin: '', version: 'x', setAt: 1000 },
    ];
    for (let turn = 0; turn < 3; turn += 1) {
      agreement.take(JSON.stringify(held));
      const { brings, considered } = agreement.consider(null);
      expect(brings.filter(({ key }) => FLEET.includes(key))).toEqual([]);
      agreement.settle({ brings, considered }, 2000);
    }
    expect(warnings).toEqual([
      expect.stringContaining('auto_sending is false (memory, version 0) on this replica'),
      expect.stringContaining('scheduler_interval is 120 (memory, version 0) on this replica'),
    ]);
    expect(live.notes).toHaveLength(3);
    source.set({ scheduler_interval: '60' });
    expect(keysOf(agreement)).toEqual([['scheduler_interval', 60]]);
  });
});
