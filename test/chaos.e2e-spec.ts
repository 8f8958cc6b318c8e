import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runCampaign, type Campaign } from './support/run-campaign.js';

const CAMPAIGN_MS = 300_000;
const KILLS = 10;
const MESSAGES = 1_500;
const OPTIONS = `--kills ${KILLS} --messages ${MESSAGES} --replicas 3 --seed 7`;

jest.setTimeout(2 * CAMPAIGN_MS + 20_000);

describe('a short campaign of kills and outages', () => {
  let folder: string;
  let campaigns: Map<string, Campaign>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chaos-verdict-'));
    campaigns = new Map();
    // One after the other: what a kill leaves in doubt grows when six replicas and two databases share two cores.
    for (const policy of ['hold', 'resend']) {
      campaigns.set(policy, await runCampaign(policy, OPTIONS, folder, CAMPAIGN_MS));
    }
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(['hold', 'resend'])('breaks no promise with %s', (policy) => {
    const { exitCode, printed, verdict } = campaigns.get(policy) ?? {};
    expect({ exitCode, printed: exitCode === 0 ? '' : printed }).toEqual({ exitCode: 0, printed: '' });
    expect(verdict?.breaches).toEqual([]);
    expect(verdict?.figures['kills']).toBeGreaterThanOrEqual(KILLS);
    expect(verdict?.figures['requests']).toBeGreaterThan(MESSAGES / 2);
    expect(verdict?.figures).toMatchObject({
      lost: 0,
      wrongly_marked: 0,
      duplicated_other_key: 0,
      jobs_over_budget: 0,
    });
  });

  it('sends nothing twice with hold', () => {
    expect(campaigns.get('hold')?.verdict?.figures).toMatchObject({ duplicated_same_key: 0 });
  });

  it.each(['lease', 'receipt', 'fence', 'halving', 'doubt', 'share'])(
    'finds what --sabotage %s switches off in the build',
    async (sabotage) => {
      const copy = `const { copyBuild } = await import('./test/chaos/build.js'); await copyBuild(...process.argv.slice(1));`;
      const args = ['--input-type=module', '--eval', copy, join(folder, sabotage), sabotage];
      await expect(promisify(execFile)(process.execPath, args)).resolves.toEqual({ stdout: '', stderr: '' });
    },
  );
});
