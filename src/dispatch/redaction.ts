/** What a receiver was told and may echo. */
export interface Told {
  /** Keys, secrets, signatures. */
  readonly credentials: readonly string[];
  readonly to: string;
  readonly content: string;
}

const MASK = '***';
/** Shorter texts stand in ordinary words. They are masked where they stand alone. */
const TELLING_LENGTH = 4;
const PHONE_DIGITS = /\d{7,}/g;

/** The same text without credentials, recipient and content, in whichever of the usual forms it holds them. */
export function redact(text: string, { credentials, to, content }: Told): string {
  const masked = redactCredentials(text, credentials);
  return maskPhone(formsOf(content).reduce(maskAll, masked), to);
}

/** The same text without credentials. A text that holds none is returned as it is. */
export function redactCredentials(text: string, credentials: readonly string[]): string {
  // One may be a part of another.
  const forms = credentials.flatMap(formsOf).toSorted((a, b) => b.length - a.length);
  return forms.reduce(maskAll, text);
}

/** How many characters of a text's end may be the beginning of something that was cut off. */
export function longestOf({ credentials, to, content }: Told): number {
  return Math.max(to.length, ...[...credentials, content].flatMap(formsOf).map((form) => form.length));
}

/** As it is, in JSON (plain, with escaped slashes, in ASCII), in a URL, in a form and in HTML; longest first. */
function formsOf(secret: string): string[] {
  if (secret === '') return [];
  const wellFormed = secret.toWellFormed();
  const json = JSON.stringify(wellFormed).slice(1, -1);
  const url = encodeURIComponent(wellFormed);
  const forms = [secret, json, json.replaceAll('/', String.raw`\/`), inAscii(json), url, url.replaceAll('%20', '+')];
  return [...new Set([...forms, inHtml(secret)])].toSorted((a, b) => b.length - a.length);
}

function inAscii(json: string): string {
  return json.replace(/[^\0-\x7f]/g, (unit) => String.raw`\u` + unit.charCodeAt(0).toString(16).padStart(4, '0'));
}

function inHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

function maskAll(text: string, secret: string): string {
  if (secret.length >= TELLING_LENGTH) return text.replaceAll(secret, MASK);
  const parts: string[] = [];
  let copied = 0;
  for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + secret.length)) {
    const end = at + secret.length;
    if (isOfWord(text[at - 1]) || isOfWord(text[end])) continue;
    parts.push(text.slice(copied, at), MASK);
    copied = end;
  }
  return parts.join('') + text.slice(copied);
}

function isOfWord(character: string | undefined): boolean {
  return character !== undefined && /[\p{L}\p{N}]/u.test(character);
}

/** Masks the number whichever way its beginning is written: with +, 00, 0 or without. */
function maskPhone(text: string, to: string): string {
  const asWritten = formsOf(to).reduce(maskAll, text);
  const digits = to.replaceAll(/\D/g, '');
  return asWritten.replace(PHONE_DIGITS, (run) => {
    const national = run.replace(/^0+/, '');
    const same = run.includes(digits) || (national.length >= TELLING_LENGTH && digits.endsWith(national));
    return same ? MASK : run;
  });
}
