/** A larger body is refused with 413. The longest setting has 8 KB, and six times that when every character is escaped. */
export const MAX_BODY_BYTES = 64 * 1024;
/** For POST /messages: a list of 1,000 of the longest messages, every character escaped, has 2 MB. */
export const MAX_MESSAGES_BYTES = 4 * 1024 * 1024;
/**
 * All bodies that are in memory at once. Reading one takes about three times its size for a moment: a process with 512 MiB,
 * of which it uses 130 at rest, has room for all of them.
 */
export const MAX_BODIES_BYTES = 32 * 1024 * 1024;
/** Bodies of one caller: 4 of the largest lists, some 70 ordinary ones of 1,000 messages. */
export const MAX_CALLER_BODIES_BYTES = 16 * 1024 * 1024;
/** Kept for bodies of at most MAX_BODY_BYTES, so that lists never keep settings and single messages out. */
export const SMALL_BODIES_RESERVE_BYTES = 8 * 1024 * 1024;
/** So much more a caller may have in bodies of at most MAX_BODY_BYTES: its own lists never keep its `POST /stop` out. */
export const MAX_CALLER_SMALL_BODIES_BYTES = 2 * 1024 * 1024;
/** Replies that wait in memory for their clients to take them, all and those of one caller. GET /sent has up to 1 MB. */
export const MAX_UNTAKEN_REPLIES_BYTES = 32 * 1024 * 1024;
export const MAX_CALLER_UNTAKEN_REPLIES_BYTES = 16 * 1024 * 1024;
/** The reply does not know the route. */
export const TOO_LARGE_TEXT = `The body is larger than the limit: ${MAX_MESSAGES_BYTES} bytes for POST /messages, ${MAX_BODY_BYTES} for other calls`;
