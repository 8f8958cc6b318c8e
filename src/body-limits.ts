/** A larger body is refused with 413. The longest setting has 8 KB, and six times that when every character is escaped. */
export const MAX_BODY_BYTES = 64 * 1024;
/** For POST /messages: a list of 1,000 of the longest messages, every character escaped, has 2 MB. */
export const MAX_MESSAGES_BYTES = 4 * 1024 * 1024;
/** The reply does not know the route. */
export const TOO_LARGE_TEXT = `The body is larger than the limit: ${MAX_MESSAGES_BYTES} bytes for POST /messages, ${MAX_BODY_BYTES} for other calls`;
