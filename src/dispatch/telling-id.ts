import { redact } from './redaction.js';

/** Ids as providers give them. Of encodings, only base64 and hexadecimal look so. */
const TOKEN = /^[\w.:-]{1,128}$/;

/**
 * Whether a provider's id holds a credential, whichever way it is encoded. Recipient and content are the message's own and
 * stand beside the id wherever it is kept; a provider may well make its ids of them, and its reports name the id. Asked for
 * each accepted message, so an ordinary id costs a few searches.
 */
export function isTelling(id: string, credentials: readonly string[]): boolean {
  if (credentials.length === 0) return false;
  const lower = id.toLowerCase();
  for (const credential of credentials) {
    for (const form of packedForms(credential)) if (lower.includes(form)) return true;
  }
  return !TOKEN.test(id) && redact(id, { credentials, to: '', content: '' }) !== id;
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
