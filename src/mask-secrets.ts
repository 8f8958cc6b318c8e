const MASKS: readonly (readonly [RegExp, string])[] = [
  // In a line of JSON the quote that ends a text may follow as \": its backslash is not the password's.
  [/\b(password|passwd|pwd|auth_key)=(?:'(?:[^'\\]|\\.)*(?:'|$)|(?:\\[^\s"]|[^\s"'&;\\])+)/gi, '$1=***'],
  [/\bwhsec_[\w+/=-]+/g, 'whsec_***'],
  // API keys, wherever somebody put one.
  [/\b(mdk_)[\w-]{8,}/g, '$1***'],
  // E.164, also with the + percent-encoded.
  [/(\+|%2B)\d{6,15}\b/gi, '$1***'],
];

/** Up to the last @ of a word: a password may itself hold @, : or /, and hiding too much is the safe mistake. */
function maskUserOf(word: string): string {
  const end = word.lastIndexOf('@');
  for (let scheme = word.indexOf('://'); scheme !== -1 && scheme < end; scheme = word.indexOf('://', scheme + 3)) {
    let colon = scheme + 3;
    while (!'@/:'.includes(word[colon] ?? '@')) colon += 1;
    if (word[colon] === ':') return `${word.slice(0, colon)}:***${word.slice(end)}`;
  }
  return word;
}

/**
 * The same text without the passwords of URLs (`://user:pass@`) and of `password=` pairs, API keys and phone numbers.
 * The last line of defence for text that comes from elsewhere (drivers, libraries); own messages leave them out to begin
 * with. The time is linear in the length of the text, whatever it holds.
 */
export function maskSecrets(text: string): string {
  const words = text.includes('://') ? text.replace(/[^\s"']+/g, maskUserOf) : text;
  return MASKS.reduce((masked, [pattern, replacement]) => masked.replace(pattern, replacement), words);
}
