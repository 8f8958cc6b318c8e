import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';

jest.setTimeout(60_000);

const RFC_3339: unknown = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describe('a database whose DateStyle is not ISO', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.set();
    await stage.database.query(`DO $$ BEGIN
      EXECUTE format('ALTER DATABASE %I SET datestyle = ''German''', current_database());
    END $$`);
  });
  afterEach(() => stage.strike());

  it('is sent from, stopped and shown like any other', async () => {
    const app = await stage.replica({ rate_limit: 2 });
    const [sent, failed] = await stage.database.insertMessages(2);
    await eventually(async () => expect(await stage.sentCount()).toBe(2), 15_000);
    expect((await app.get('/scheduler')).json()).toMatchObject({ changed_at: RFC_3339, last_slot_at: RFC_3339 });
    expect((await app.get('/sent')).json()).toMatchObject([{ sent_at: RFC_3339 }, { sent_at: RFC_3339 }]);
    expect((await app.get(`/messages/${sent}`)).json()).toMatchObject({ sent_at: RFC_3339 });

    expect((await app.post('/stop')).text).toBe('"Stopped"');
    await stage.database.query(`UPDATE messages SET sent_status = FALSE, sent_at = NULL WHERE id = $1`, [failed]);
    expect((await app.post(`/messages/${failed}/cancel`)).json()).toMatchObject({ parked_at: RFC_3339 });
    expect((await app.post('/messages/replay', { state: 'cancelled' })).status).toBe(200);
  });
});
