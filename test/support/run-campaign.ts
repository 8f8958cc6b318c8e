import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Verdict } from '../chaos/types.js';

export interface Campaign {
  readonly exitCode: number | null;
  readonly printed: string;
  readonly verdict: Verdict | undefined;
}

/** A campaign as `npm run chaos` runs it, with these options, for one policy; `folder` takes its verdict. */
export async function runCampaign(
  policy: string,
  options: string,
  folder: string,
  impatientAfterMs: number,
): Promise<Campaign> {
  const json = join(folder, `${policy}.json`);
  const args = `test/chaos/run.js --policy ${policy} ${options} --json ${json}`;
  const child = spawn(process.execPath, args.split(' '), { stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  }
  const impatience = setTimeout(() => child.kill('SIGTERM'), impatientAfterMs);
  await once(child, 'close');
  clearTimeout(impatience);
  const text = await readFile(json, 'utf8').catch(() => '{"verdicts":[]}');
  const { verdicts } = JSON.parse(text) as { verdicts: Verdict[] };
  return { exitCode: child.exitCode, printed, verdict: verdicts[0] };
}
