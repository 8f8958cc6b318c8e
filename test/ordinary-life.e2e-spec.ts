import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCampaign, type Campaign } from './support/run-campaign.js';

const CAMPAIGN_MS = 300_000;
const OPTIONS = '--faults ordinary --seconds 55 --parked 30000 --due 30000 --api-rate 600 --replicas 3 --seed 4';

jest.setTimeout(CAMPAIGN_MS + 20_000);

describe('a short campaign of ordinary life', () => {
  let folder: string;
  let campaign: Campaign;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ordinary-verdict-'));
    campaign = await runCampaign('hold', OPTIONS, folder, CAMPAIGN_MS);
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('breaks no promise', () => {
    const { exitCode, printed, verdict } = campaign;
    expect({ exitCode, printed: exitCode === 0 ? '' : printed }).toEqual({ exitCode: 0, printed: '' });
    expect(verdict?.breaches).toEqual([]);
  });

  it('has seen what it judges', () => {
    const figures = campaign.verdict?.figures ?? {};
    expect(figures).toMatchObject({ lost: 0, good_late: 0, wrongly_marked: 0, duplicated_same_key: 0 });
    expect(figures['good_messages']).toBeGreaterThan(200);
    expect(figures['counted_seconds']).toBeGreaterThan(15);
    expect(figures['harms']).toBeGreaterThan(15);
    expect(figures['stops']).toBeGreaterThan(0);
    expect(figures['api_calls']).toBeGreaterThan(100);
  });
});
