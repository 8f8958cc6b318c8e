const LONGEST_PROVIDER_ID = 256;
/** Each number that stands under the name; the text of a string holds no unescaped quotes, so none is inside of one. */
const NUMBERS = /"messageId"\s*:\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;

/** The provider's id in a JSON body, as text; null when there is none that is usable. */
export function messageIdIn(body: string): string | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return null;
  }
  if (typeof parsed !== 'object' || parsed === null || !('messageId' in parsed)) return null;
  const { messageId } = parsed;
  const text = typeof messageId === 'number' ? digitsOf(messageId, body) : messageId;
  if (typeof text !== 'string' || text.trim() === '' || text.length > LONGEST_PROVIDER_ID) return null;
  return text.includes('\0') || !text.isWellFormed() ? null : text;
}

/** A number as it was answered: beyond 2^53 its value is another one. null when the body does not tell it for certain. */
function digitsOf(value: number, body: string): string | null {
  if (Number.isSafeInteger(value)) return String(value);
  const candidates = new Set<string>();
  for (const [, digits = ''] of body.matchAll(NUMBERS)) if (Number(digits) === value) candidates.add(digits);
  const [only] = candidates;
  return candidates.size === 1 && only !== undefined ? only : null;
}
