const MASKS: readonly (readonly [RegExp, string])[] = [
  // Up to the last @ of the word: a password may itself hold @, : or /, and hiding too much is the safe mistake.
  [/(:\/\/[^\s"'@/:]*):[^\s"']*@/g, '$1:***@'],
  // In a line of JSON the quote that ends a text may follow as \": its backslash is not the password's.
  [/\b(password|passwd|pwd|auth_key)=(?:\\[^\s"]|[^\s"'&;\\])+/gi, '$1=***'],
  [/\bwhsec_[\w+/=-]+/g, 'whsec_***'],
  // API keys, wherever somebody put one.
  [/\b(mdk_)[\w-]{8,}/g, '$1***'],
  // E.164, also with the + percent-encoded.
  [/(\+|%2B)\d{6,15}\b/gi, '$1***'],
];

/**
 * The same text without the passwords of URLs (`://user:pass@`) and of `password=` pairs, API keys and phone numbers.
 * The last line of defence for text that comes from elsewhere (drivers, libraries); own messages leave them out to begin with.
 */
export function maskSecrets(text: string): string {
  return MASKS.reduce((masked, [pattern, replacement]) => masked.replace(pattern, replacement), text);
}
