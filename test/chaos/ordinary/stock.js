/**
 * What was put into the table, and by whom it was touched: numbers every row, and knows when its commit was known.
 */
export class Stock {
  /** @type {import('./types.js').Fed[]} */
  rows = [];
  /** @type {import('./types.js').HandAct[]} */
  acts = [];
  next = 1;

  /** @param {import('./database.js').OrdinaryDatabase} database */
  constructor(database) {
    this.database = database;
  }

  /**
   * Numbers for rows that somebody else stores. They are unsure until `known`.
   * @param {number} count
   */
  reserve(count) {
    const rows = Array.from({ length: count }, (_, index) => ({
      n: this.next + index,
      kind: /** @type {import('./types.js').Kind} */ ('unsure'),
      committedAt: Infinity,
    }));
    this.next += count;
    // Not push(...rows): a million arguments are too many.
    for (const row of rows) this.rows.push(row);
    return rows;
  }

  /**
   * @param {readonly import('./types.js').Fed[]} rows
   * @param {import('./types.js').Kind} kind
   */
  known(rows, kind) {
    const now = Date.now();
    for (const row of rows) {
      row.kind = kind;
      row.committedAt = now;
    }
  }

  /**
   * @param {import('./types.js').Kind} kind
   * @param {number} count
   * @param {{ parked?: boolean, due?: boolean, negative?: boolean }} how
   */
  async add(kind, count, how = {}) {
    const rows = this.reserve(count);
    const first = rows[0]?.n;
    if (first === undefined) return;
    await this.database.store(kind, first, count, how);
    this.known(rows, kind);
  }

  /** What was parked or due before: counted, and not kept one by one. @param {'parked' | 'due'} kind @param {number} count */
  async addOld(kind, count) {
    const first = this.next;
    this.next += count;
    if (count > 0) await this.database.store(kind, first, count, kind === 'due' ? { due: true } : { parked: true });
  }

  /**
   * @param {'marked' | 'deleted'} what
   * @param {number} count
   */
  async touch(what, count) {
    const at = Date.now();
    for (const n of await this.database.touch(what, count)) this.acts.push({ n, what, at, until: Date.now() });
  }

  /**
   * Locks what waits at the head; resolves with what gives the locks up.
   * @param {number} count
   */
  async lock(count) {
    const at = Date.now();
    const { numbers, release } = await this.database.lock(count);
    const acts = numbers.map((n) => ({ n, what: /** @type {const} */ ('locked'), at, until: Infinity }));
    this.acts.push(...acts);
    return async () => {
      await release();
      for (const act of acts) act.until = Date.now();
    };
  }
}
