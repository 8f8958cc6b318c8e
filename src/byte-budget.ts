/** Bytes that all callers together may have in memory for one purpose, and the share of each. */
export class ByteBudget {
  private readonly byCaller = new Map<string, number>();
  private total = 0;

  constructor(
    private readonly limitBytes: number,
    /** No caller takes all of it. */
    private readonly callerLimitBytes: number,
  ) {}

  get takenBytes(): number {
    return this.total;
  }

  /**
   * Whether the caller could have another `bytes`, while `reserveBytes` of the whole remain for others. `callerExtraBytes`: so much
   * more than its share the caller may have.
   */
  hasRoom(caller: string, bytes: number, reserveBytes = 0, callerExtraBytes = 0): boolean {
    return (
      this.total + bytes <= this.limitBytes - reserveBytes &&
      this.takenBy(caller) + bytes <= this.callerLimitBytes + callerExtraBytes
    );
  }

  /** Takes them, whether or not there is room; give each back once. */
  take(caller: string, bytes: number): void {
    this.total += bytes;
    this.byCaller.set(caller, this.takenBy(caller) + bytes);
  }

  giveBack(caller: string, bytes: number): void {
    this.total -= bytes;
    const left = this.takenBy(caller) - bytes;
    if (left > 0) this.byCaller.set(caller, left);
    else this.byCaller.delete(caller);
  }

  private takenBy(caller: string): number {
    return this.byCaller.get(caller) ?? 0;
  }
}
