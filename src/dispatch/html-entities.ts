/** U+00A0 to U+00FF, in their order. */
const LATIN_1 =
  'nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para ' +
  'middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave ' +
  'Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc ' +
  'Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc ' +
  'iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml';

const OTHERS = {
  '"': 'quot QUOT',
  '&': 'amp AMP',
  '<': 'lt LT',
  '>': 'gt GT',
  "'": 'apos',
  '+': 'plus',
  '=': 'equals',
  '/': 'sol',
  '\\': 'bsol',
  '%': 'percnt',
  '#': 'num',
  '@': 'commat',
  ':': 'colon',
  ';': 'semi',
  '.': 'period',
  ',': 'comma',
  '!': 'excl',
  '?': 'quest',
  '(': 'lpar',
  ')': 'rpar',
  _: 'lowbar',
  '\n': 'NewLine',
  '\t': 'Tab',
  ı: 'imath inodot',
  İ: 'Idot',
  ş: 'scedil',
  Ş: 'Scedil',
  ğ: 'gbreve',
  Ğ: 'Gbreve',
} as const;

/** The character entities of HTML that escaping functions write for Latin text, by their names. */
export const HTML_ENTITIES: ReadonlyMap<string, string> = new Map([
  ...LATIN_1.split(' ').map((name, index): [string, string] => [name, String.fromCodePoint(0xa0 + index)]),
  ...Object.entries(OTHERS).flatMap(([character, names]) =>
    names.split(' ').map((name): [string, string] => [name, character]),
  ),
]);
