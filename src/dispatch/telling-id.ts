import { folded } from './folded-text.js';
import { redact, type Told } from './redaction.js';

/** Ids as providers give them. Of encodings, only base64 and hexadecimal look so. */
const TOKEN = /^[\w.:-]{1,128}$/;
const NATIONAL_DIGITS = 10;
const CONTENT_LENGTH_MIN = 10;

/**
 * Whether a provider's id holds a credential, the recipient's number or the content. Asked for each accepted message, so an
 * ordinary id costs a few searches.
 */
export function isTelling(id: string, { credentials, to, content }: Told): boolean {
  const lower = id.toLowerCase();
  for (const credential of credentials) {
    for (const form of packedForms(credential)) if (lower.includes(form)) return true;
  }
  if (to !== '' && id.length >= to.length - 3 && holdsNumber(id, to)) return true;
  if (id === content) return true;
  if (TOKEN.test(id)) return id.length >= CONTENT_LENGTH_MIN && holdsContent(id, content);
  const long = folded(content).text.length >= CONTENT_LENGTH_MIN ? content : '';
  return redact(id, { credentials, to: '', content: long }) !== id;
}

function holdsNumber(id: string, to: string): boolean {
  const digits = to.replaceAll(/\D/g, '');
  return digits.length >= CONTENT_LENGTH_MIN
    ? id.replaceAll(/[\s()./-]/g, '').includes(digits.slice(-NATIONAL_DIGITS))
    : id === to || id === digits;
}

function holdsContent(id: string, content: string): boolean {
  const { text } = folded(content);
  return text.length >= CONTENT_LENGTH_MIN && folded(id).text.includes(text);
}

const KNOWN_MAX = 64;
const known = new Map<string, readonly string[]>();

/** A credential as it is, in hexadecimal and in the middle of base64, wherever it begins there; in lower case. */
function packedForms(credential: string): readonly string[] {
  const found = known.get(credential);
  if (found !== undefined) return found;
  if (known.size >= KNOWN_MAX) known.clear();
  const bytes = Buffer.from(credential);
  // The digits at both ends hold bits of what stands beside it.
  const middles = [0, 1, 2].map((before) => {
    const digits = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64url');
    return digits.slice(before === 0 ? 0 : before + 1, Math.floor(((before + bytes.length) * 8) / 6));
  });
  const forms = [credential, bytes.toString('hex'), ...middles].map((form) => form.toLowerCase());
  const telling = forms.filter((form) => form.length >= 4);
  known.set(credential, telling);
  return telling;
}
