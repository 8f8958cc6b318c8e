import { Presets, SingleBar } from 'cli-progress';

const PLAIN_EVERY_MS = 5_000;

/** How far a file is: a bar on a terminal, elsewhere a line now and then. Written to standard error. */
export class ProgressLine {
  private readonly startedAt = performance.now();
  private saidAt = this.startedAt;
  private readonly bar: SingleBar | null = null;

  constructor(
    private readonly what: string,
    private readonly bytes: number,
    private readonly startOffset: number,
  ) {
    if (!process.stderr.isTTY) return;
    const format = `${what} [{bar}] {percentage} % | {rows} rows, {rate}/s | {eta_formatted} to go`;
    this.bar = new SingleBar({ format, stream: process.stderr, fps: 5, hideCursor: true }, Presets.legacy);
    this.bar.start(bytes, startOffset, { rows: 0, rate: 0 });
  }

  show(offset: number, rows: number): void {
    const now = performance.now();
    const seconds = (now - this.startedAt) / 1000;
    const rate = Math.round(rows / Math.max(seconds, 0.001));
    this.bar?.update(offset, { rows, rate });
    if (this.bar !== null || now - this.saidAt < PLAIN_EVERY_MS) return;
    this.saidAt = now;
    const percent = Math.floor((100 * offset) / this.bytes);
    const left = Math.round((seconds * (this.bytes - offset)) / (offset - this.startOffset));
    process.stderr.write(`${this.what}: ${percent} %, ${rows} rows, ${rate}/s, ${left} s to go\n`);
  }

  end(): void {
    this.bar?.stop();
  }
}
