/** Names of parameters whose values are secrets, whatever they look like. */
const SECRET_NAME = /key|token|secret|pass|pwd|auth|sig|cred/i;
const SECRET_LENGTH_MIN = 4;
/** Shorter parts of a path stand in ordinary ids and texts. */
const PART_LENGTH_MIN = 6;
/** An account's number is no secret, and stands in the ids that providers give. */
const NUMBER_LENGTH_MAX = 11;
/** No word that stands in a path is as long. */
const WORD_LENGTH_MAX = 15;

/**
 * What may be a credential in the path and the query of a target: gateways take tokens there, and errors echo them
 * ("Cannot POST /hooks/TOKEN"). Plain words (`messages`, `send-sms`, `v1`) are left out, for they stand in ordinary answers too.
 */
export function credentialsInUrl(target: string): readonly string[] {
  if (!URL.canParse(target)) return [];
  const { pathname, searchParams } = new URL(target);
  const found = new Set<string>();
  for (const part of pathname.split('/')) {
    // One that is encoded may be echoed as it is or decoded; finding it decodes escapes.
    if (isSecretPart(unescapedPart(part))) found.add(unescapedPart(part));
  }
  for (const [name, value] of searchParams) {
    const isNamed = SECRET_NAME.test(name) && value.length >= SECRET_LENGTH_MIN;
    if (isNamed || isSecretPart(value)) found.add(value);
    // `?TOKEN`, without a value.
    if (value === '' && isSecretPart(name)) found.add(name);
  }
  return [...found];
}

/** One with a digit, in mixed case, or too long for a word; words may be joined by - _ and dots. */
function isSecretPart(part: string): boolean {
  if (part.length < PART_LENGTH_MIN || (part.length <= NUMBER_LENGTH_MAX && /^\d+$/.test(part))) return false;
  if (/\d/.test(part)) return true;
  const words = part.split(/[-_.~]/);
  return !words.every((word) => word.length <= WORD_LENGTH_MAX && /^[A-Z]?[a-z]*$|^[A-Z]+$/.test(word));
}

function unescapedPart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
