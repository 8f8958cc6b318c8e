import type { Settlement } from '../messages/message-settlements.js';
import { shelfOf, type DeliveryReceipts } from './delivery-receipts.js';

/**
 * The receipts of one run of a job. A shelf whose outcomes are all written is needed by nobody any more; it goes soon, so that
 * Redis holds what is not written yet and a few minutes, not a day, of what is.
 */
export class JobReceipts {
  /** How many receipts of a shelf are for outcomes that are not written yet. */
  private readonly unwritten = new Map<number, number>();

  constructor(
    private readonly receipts: DeliveryReceipts,
    private readonly installationId: string,
    private readonly jobId: number,
  ) {}

  keep(sent: readonly Settlement[]): void {
    for (const { id } of sent) {
      const shelf = shelfOf(id);
      this.unwritten.set(shelf, (this.unwritten.get(shelf) ?? 0) + 1);
    }
    this.keepAgain(sent);
  }

  keepAgain(sent: readonly Settlement[]): void {
    const wallMinusMonotonicMs = Date.now() - performance.now();
    this.receipts.keep(
      this.installationId,
      this.jobId,
      sent.map(({ id, messageId, messageHash, knownAt }) => ({
        id,
        messageId,
        messageHash: messageHash ?? '',
        sentAtMs: Math.round(wallMinusMonotonicMs + knownAt),
      })),
    );
  }

  /** Notes outcomes that are in PostgreSQL. The newest shelf stays, it is being filled. */
  settled(outcomes: readonly Settlement[]): void {
    for (const { id, state } of outcomes) {
      if (state !== 'sent') continue;
      const shelf = shelfOf(id);
      const count = this.unwritten.get(shelf);
      if (count !== undefined) this.unwritten.set(shelf, count - 1);
    }
    if (this.unwritten.size > 1) this.release([...this.unwritten.keys()].slice(0, -1));
  }

  /** The run is over, and everything is written. */
  close(): void {
    this.release([...this.unwritten.keys()]);
  }

  private release(shelves: readonly number[]): void {
    const done = shelves.filter((shelf) => (this.unwritten.get(shelf) ?? 0) <= 0);
    for (const shelf of done) this.unwritten.delete(shelf);
    this.receipts.expireSoon(this.installationId, this.jobId, done);
  }
}
