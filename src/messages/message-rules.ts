/** The limits of a message; the table has the same ones. */
export const CONTENT_MAX_CHARACTERS = 160;
export const PHONE_EXAMPLE = '+905551111111';

/** What people write between a number's digits. */
const SEPARATORS = /[ ().-]/g;
const NUMBER = /^\+?\d{3,15}$/;
/** What a spreadsheet makes of a number: without its dot it would be another number. */
const DECIMAL = /^\+?\d+\.0+$/;

export const PHONE_FAULT = `must be a phone number of 3 to 15 digits, such as ${PHONE_EXAMPLE}`;
export const PHONE_DECIMAL_FAULT =
  'must be a phone number, not a decimal number: format the column as text in the spreadsheet';
export const CONTENT_LENGTH_FAULT = `must have 1 to ${CONTENT_MAX_CHARACTERS} characters`;

/** Why a recipient cannot be one, or null: 3 to 15 digits (ITU-T E.164), a `+` before and separators between allowed. */
export function phoneFault(phone: string): string | null {
  // First, because a text of megabytes takes long to look through.
  if (phone.length > 32) return PHONE_FAULT;
  if (DECIMAL.test(phone)) return PHONE_DECIMAL_FAULT;
  return NUMBER.test(phone.replaceAll(SEPARATORS, '')) ? null : PHONE_FAULT;
}

/** Why a text cannot be sent, or null. Characters are counted as PostgreSQL's `length()` does: an emoji is one. */
export function contentFault(content: string): string | null {
  if (content.length === 0) return 'must not be empty';
  if (content.includes('\0')) return 'must not contain a NUL character';
  if (!content.isWellFormed()) return 'must be well-formed Unicode, without lone surrogates';
  // No text has more characters than UTF-16 units, and most are short: counting takes longer than all the rest.
  if (content.length <= CONTENT_MAX_CHARACTERS) return null;
  const characters = countCharacters(content);
  return characters > CONTENT_MAX_CHARACTERS
    ? `must be at most ${CONTENT_MAX_CHARACTERS} characters, got ${characters}`
    : null;
}

function countCharacters(text: string): number {
  let characters = text.length;
  // The text is well-formed: each low surrogate belongs to the high one before it.
  for (let at = 0; at < text.length; at += 1) if ((text.charCodeAt(at) & 0xfc00) === 0xdc00) characters -= 1;
  return characters;
}
