/** @typedef {import('./types.js').Fault} Fault */

/** What was done to which part, and when. */
export class Timeline {
  /** @type {Fault[]} */
  faults = [];

  /**
   * Notes something that begins now; the part is itself again when the returned function is called.
   * @param {Fault['kind']} kind
   * @param {string} how
   * @param {number} replica -1: not a replica
   */
  begin(kind, how, replica = -1) {
    /** @type {Fault} */
    const fault = { kind, how, replica, at: Date.now(), until: null };
    this.faults.push(fault);
    return () => void (fault.until = Date.now());
  }

  /**
   * Something that takes no time.
   * @param {Fault['kind']} kind
   * @param {string} how
   * @param {number} replica
   */
  note(kind, how, replica = -1) {
    this.begin(kind, how, replica)();
  }

  get kills() {
    return this.faults.filter(({ kind }) => kind === 'kill').length;
  }
}

/**
 * Whether a fault of this kind touched the time from `from` to `to`.
 * @param {readonly Fault[]} faults
 * @param {Fault['kind']} kind
 * @param {number} from
 * @param {number} to
 */
export function troubled(faults, kind, from, to) {
  return faults.some((fault) => fault.kind === kind && fault.at <= to && (fault.until ?? Infinity) >= from);
}
