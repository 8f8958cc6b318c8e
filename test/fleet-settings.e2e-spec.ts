import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { EtcdServer } from './support/etcd-server.js';
import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';

jest.setTimeout(120_000);

interface Setting {
  readonly key: string;
  readonly value: unknown;
  readonly source: string;
  readonly unknown: string | null;
  readonly fleet: { readonly value: unknown; readonly source: string } | null;
  readonly difference: string | null;
}
interface Overview {
  readonly state: string;
  readonly interval_seconds: number;
  readonly queue_capacity: number;
  readonly changed_by: string | null;
  readonly settings_notes: readonly string[];
}

const settingOf = async (app: DispatcherProcess, key: string): Promise<Setting | undefined> =>
  (await app.get('/config')).json<{ settings: Setting[] }>().settings.find((setting) => setting.key === key);
const overviewOf = async (app: DispatcherProcess) => (await app.get('/scheduler')).json<Overview>();
const fleetIs = (app: DispatcherProcess, expected: Partial<Overview>) =>
  eventually(async () => expect(await overviewOf(app)).toMatchObject(expected), 20_000);

const fileOf = ({ configDir }: DispatcherProcess) => join(configDir, 'dynamic_config.yaml');

/** Resolves when a replica has taken a turn and brought what it brings. */
const settled = (app: DispatcherProcess) => app.logged(/^sending (runs|is stopped|has not begun)/);

let stage: Stage;
beforeEach(async () => (stage = await Stage.set()));
afterEach(() => stage.strike());

describe('with etcd', () => {
  let etcd: EtcdServer;
  let env: Record<string, string>;
  beforeEach(async () => {
    etcd = await EtcdServer.started();
    env = { APP_REMOTE_ETCD_ENDPOINTS: etcd.url };
  });
  afterEach(() => etcd.remove());

  it('a replica that looks below a wrong prefix changes nothing for the fleet, and both say what is so', async () => {
    await etcd.hands.put('scheduler_interval', '3');
    const good = await stage.replica({ scheduler_interval: 1 }, env);
    await fleetIs(good, { interval_seconds: 3, state: 'running', settings_notes: [] });

    const file = { scheduler_interval: 120, auto_sending: false };
    const lost = await stage.replica(file, { ...env, APP_REMOTE_ETCD_PREFIX: '/app/confg' });
    await settled(lost);
    expect((await lost.logged(/holds no setting below \/app\/confg/))['log.level']).toBe('warn');
    expect((await lost.logged(/^scheduler_interval is 120 \(file.*replicas disagree/))['log.level']).toBe('warn');
    await lost.changeLive(stage.live({ ...file, scheduler_interval: 60 }));
    await lost.logged(/^scheduler_interval is 60 \(file.*replicas disagree/);
    for (const app of [good, lost]) await fleetIs(app, { interval_seconds: 3, state: 'running' });
    expect(await settingOf(lost, 'scheduler_interval')).toMatchObject({
      value: 60,
      source: 'file',
      fleet: { value: 3, source: 'etcd' },
      difference: expect.stringContaining('the fleet works with 3 (etcd, below /app/config, version') as unknown,
    });
    expect((await overviewOf(lost)).settings_notes).toHaveLength(2);
    expect(await settingOf(good, 'scheduler_interval')).toMatchObject({
      value: 3,
      fleet: { value: 3 },
      difference: null,
    });

    // The key deleted where the fleet has it from: the file counts. Put again: etcd does, on all replicas.
    await etcd.hands.delete('scheduler_interval');
    await fleetIs(good, { interval_seconds: 1 });
    await etcd.hands.put('scheduler_interval', '2');
    await fleetIs(good, { interval_seconds: 2 });
    await eventually(async () =>
      expect(await settingOf(lost, 'scheduler_interval')).toMatchObject({ fleet: { value: 2, source: 'etcd' } }),
    );
    // Whatever made them differ, the same value put once more makes them agree.
    await stage.database.query(`UPDATE scheduler_state SET interval_ms = 120000, version = version + 1`);
    await stage.database.query(`UPDATE fleet_settings SET value = '120' WHERE key = 'scheduler_interval'`);
    await etcd.hands.put('scheduler_interval', '2');
    await fleetIs(good, { interval_seconds: 2 });
  });

  it('refused values and an etcd that is away at a restart change nothing: the last good settings of the fleet count', async () => {
    const put = (values: Readonly<Record<string, string>>) =>
      Promise.all(Object.entries(values).map(([key, value]) => etcd.hands.put(key, value)));
    await put({ auto_sending: 'false', on_uncertain: 'hold', scheduler_interval: '7', rate_limit: '3' });
    const first = await stage.replica({ auto_sending: true, scheduler_interval: 1 }, env);
    await fleetIs(first, { state: 'stopped', interval_seconds: 7 });
    await eventually(async () =>
      expect(await stage.database.value(`SELECT count(*)::int FROM fleet_settings WHERE source = 'etcd'`)).toBe(4),
    );
    const held = await stage.database.query<{ key: string }>('SELECT * FROM fleet_settings');
    expect(JSON.stringify(held)).not.toMatch(/webhook_url|auth_key|signing|127\.0\.0\.1/);

    await put({ auto_sending: 'flase', on_uncertain: 'Hold!', scheduler_interval: '3600s', rate_limit: '1/s' });
    await first.logged(/refused from etcd: rate_limit/);
    await first.post('/stop');
    await first.end('SIGKILL');
    await stage.database.insertMessages(2);
    const second = await stage.successor(first, env);
    await settled(second);
    await fleetIs(second, { state: 'stopped', interval_seconds: 7 });
    expect(await settingOf(second, 'on_uncertain')).toMatchObject({ value: 'hold', source: 'fleet' });
    expect(await settingOf(second, 'rate_limit')).toMatchObject({ value: 3, source: 'fleet' });
    expect(await settingOf(second, 'auto_sending')).toMatchObject({
      value: false,
      source: 'fleet',
      unknown: 'etcd holds a value that is refused',
    });
    await put({ auto_sending: 'false', on_uncertain: 'hold', scheduler_interval: '1', rate_limit: '3' });
    await fleetIs(second, { interval_seconds: 1, settings_notes: [] });
    await second.end('SIGKILL');

    etcd.pause();
    const third = await stage.successor(second, env);
    await settled(third);
    await third.post('/start');
    const ready = await third.get('/health/ready');
    expect(ready.status).toBe(503);
    expect(ready.text).toMatch(/webhook_url is unknown, so nothing is sent: etcd has not been read yet/);
    expect(await settingOf(third, 'on_uncertain')).toMatchObject({ value: 'hold', source: 'fleet' });
    await eventually(async () =>
      expect((await stage.jobs()).filter(({ state }) => state === 'done').length).toBeGreaterThanOrEqual(1),
    );
    expect(stage.receiver.ledger).toEqual([]);
    etcd.resume();
    await eventually(() => expect(stage.receiver.ledger).toHaveLength(2), 30_000);
    expect((await third.get('/health/ready')).status).toBe(200);
  });

  it('made again with the same flags is heard from its first put on, and at a start says what it holds', async () => {
    for (let count = 0; count < 20; count += 1) await etcd.hands.put('rate_limit', '2');
    await etcd.hands.put('scheduler_interval', '1');
    await etcd.hands.put('auto_sending', 'true');
    await etcd.hands.put('on_uncertain', 'hold');
    const app = await stage.replica({ on_uncertain: 'resend' }, env);
    await fleetIs(app, { state: 'running', interval_seconds: 1 });
    await etcd.kill();
    etcd.wipe();
    await etcd.start();
    await app.logged(/the store was replaced by one without/, 30_000);
    await etcd.hands.put('auto_sending', 'false');
    await fleetIs(app, { state: 'stopped' });
    await etcd.hands.put('scheduler_interval', '5');
    await fleetIs(app, { interval_seconds: 5, settings_notes: [] });
    // The fleet has these from the store before, whose revisions were higher.
    await stage.database.query(`UPDATE fleet_settings SET value = 'true', version = '26' WHERE key = 'auto_sending'`);
    await stage.database.query(
      `UPDATE fleet_settings SET value = '1', version = '22' WHERE key = 'scheduler_interval'`,
    );
    await app.end('SIGKILL');
    await stage.database.query(`UPDATE scheduler_state SET interval_ms = 1000, running = TRUE, auto_sending = TRUE`);

    const next = await stage.successor(app, env);
    await fleetIs(next, { state: 'stopped', interval_seconds: 5, settings_notes: [] });
    // Nobody said resend: the file's word is older than the fleet's, and etcd lost it.
    expect(await settingOf(next, 'on_uncertain')).toMatchObject({
      value: 'hold',
      source: 'fleet',
      fleet: { value: 'hold', source: 'etcd' },
      difference: expect.stringContaining('on_uncertain is "resend" (file') as unknown,
    });
    await etcd.hands.put('on_uncertain', 'resend');
    await eventually(async () => expect(await settingOf(next, 'on_uncertain')).toMatchObject({ value: 'resend' }));
  });

  it('a first boot without it begins nothing by itself', async () => {
    await etcd.hands.put('auto_sending', 'false');
    etcd.pause();
    const app = await stage.replica({}, env);
    await stage.database.insertMessages(2);
    await app.logged(/^sending has not begun: auto_sending is unknown/);
    expect(await overviewOf(app)).toMatchObject({
      state: 'stopped',
      settings_notes: expect.arrayContaining([
        expect.stringContaining('auto_sending is unknown: etcd has not been read yet'),
      ]) as unknown,
    });
    etcd.resume();
    await eventually(
      async () => expect(await settingOf(app, 'auto_sending')).toMatchObject({ fleet: { value: false } }),
      30_000,
    );
    expect(await stage.jobs()).toEqual([]);
    await etcd.hands.put('auto_sending', 'true');
    await eventually(() => expect(stage.receiver.ledger.length).toBeGreaterThanOrEqual(1));
  });
});

describe('with files alone', () => {
  it('an old replica that starts again, or one whose file cannot be read, leaves the fleet as it is', async () => {
    const old = await stage.replica({ scheduler_interval: 2 });
    await fleetIs(old, { interval_seconds: 2, state: 'running' });
    const fresh = await stage.replica({ scheduler_interval: 60, auto_sending: false, on_uncertain: 'hold' });
    await fleetIs(fresh, { interval_seconds: 60, state: 'stopped', settings_notes: [] });

    await old.end('SIGKILL');
    const again = await stage.successor(old);
    await settled(again);
    await again.logged(/^scheduler_interval is 2 \(file.*the fleet works with 60 .*replicas disagree/);
    await again.logged(/^auto_sending is true \(default.*the fleet works with false/);
    await fleetIs(fresh, { interval_seconds: 60, state: 'stopped' });
    await again.end('SIGKILL');

    // One slip of the pen.
    await fresh.end('SIGKILL');
    await writeFile(
      join(fresh.configDir, 'dynamic_config.yaml'),
      'auto_sending: true\nscheduler_interval: 1\nretry_schedule: [30, 120\n',
    );
    await stage.database.insertMessages(1);
    const blind = await stage.successor(fresh);
    await settled(blind);
    await fleetIs(blind, { interval_seconds: 60, state: 'stopped' });
    expect(await settingOf(blind, 'on_uncertain')).toMatchObject({ value: 'hold', source: 'fleet' });
    expect((await blind.get('/health/ready')).text).toContain('webhook_url is unknown');

    await blind.setLive(stage.live({ auto_sending: true, scheduler_interval: 1 }));
    await fleetIs(blind, { interval_seconds: 1, state: 'running', settings_notes: [] });
    await eventually(() => expect(stage.receiver.ledger).toHaveLength(1));
  });

  it('a file that was only touched says nothing, and one that was put back to an older content does', async () => {
    const first = await stage.replica({ scheduler_interval: 5 });
    const other = await stage.replica({ scheduler_interval: 5 });
    await fleetIs(other, { interval_seconds: 5 });
    await eventually(async () => expect(await stage.database.value(`SELECT count(*)::int FROM file_settings`)).toBe(2));
    await other.end('SIGKILL');
    await first.changeLive(stage.live({ scheduler_interval: 7 }));
    await fleetIs(first, { interval_seconds: 7 });

    const later = new Date(Date.now() + 60_000);
    await utimes(fileOf(other), later, later);
    const again = await stage.successor(other);
    await settled(again);
    await again.logged(/^scheduler_interval is 5 \(file.*the fleet works with 7 .*replicas disagree/);
    for (const app of [first, again]) await fleetIs(app, { interval_seconds: 7 });
    await again.end('SIGKILL');

    await first.end('SIGKILL');
    await first.setLive(stage.live({ scheduler_interval: 5 }));
    const longAgo = new Date(Date.now() - 86_400_000);
    await utimes(fileOf(first), longAgo, longAgo);
    const rolledBack = await stage.successor(first);
    await settled(rolledBack);
    await fleetIs(rolledBack, { interval_seconds: 5, settings_notes: [] });
  });

  it('a key that is absent from a file says nothing: no default starts, slows or trims a fleet that holds a value', async () => {
    const whole = { auto_sending: false, scheduler_interval: 7, scheduler_queue_capacity: 1000, on_uncertain: 'hold' };
    const first = await stage.replica(whole);
    await fleetIs(first, { state: 'stopped', interval_seconds: 7 });
    // A setting had stopped it already: the operator's word counts all the same.
    await first.post('/stop');
    expect(await overviewOf(first)).toMatchObject({ changed_by: expect.stringContaining('POST /stop') as unknown });
    await stage.database.insertMessages(1);
    await first.end('SIGKILL');

    await writeFile(join(first.configDir, 'dynamic_config.yaml'), `webhook_url: ${stage.receiver.url}\n`);
    const cut = await stage.successor(first);
    await settled(cut);
    await cut.logged(/^scheduler_interval is 120 \(default.*the fleet works with 7/);
    const joined = await stage.replica({ rate_limit: undefined, scheduler_interval: undefined });
    await settled(joined);
    for (const app of [cut, joined]) {
      await fleetIs(app, { state: 'stopped', interval_seconds: 7, queue_capacity: 1000 });
      expect(await settingOf(app, 'on_uncertain')).toMatchObject({ value: 'hold', source: 'fleet' });
      expect(await settingOf(app, 'scheduler_queue_capacity')).toMatchObject({ value: 100, fleet: { value: 1000 } });
    }
    // What is written, and differs, counts at once; what is removed again never starts anything.
    await cut.setLive(stage.live({ ...whole, scheduler_interval: 5 }));
    await fleetIs(cut, { state: 'stopped', interval_seconds: 5 });
    await cut.setLive(stage.live({ scheduler_interval: undefined }));
    await fleetIs(cut, { state: 'stopped', interval_seconds: 120 });
    expect((await overviewOf(cut)).settings_notes).toContainEqual(
      expect.stringMatching(/^auto_sending is true \(default\).*the fleet works with false/),
    );
    expect(stage.receiver.ledger).toEqual([]);
    await cut.setLive(stage.live({ auto_sending: true }));
    await eventually(() => expect(stage.receiver.ledger).toHaveLength(1), 20_000);
  });
});
