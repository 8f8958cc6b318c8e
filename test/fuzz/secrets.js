/** What is planted where it must not come out again. None of it is a word that the service uses by itself. */
export const SECRETS = {
  phones: ['905550123987', '447700900741', '14155550178'],
  contents: ['planted-content-kestrel', 'planted-content-osprey'],
  authKey: 'planted-auth-key-falcon',
  newAuthKey: 'planted-auth-key-merlin',
  databasePassword: 'planted-db-password-heron',
  redisPassword: 'planted-redis-password-egret',
  token: 'planted-token-harrier',
};

/** What only the service knows: no request brings it, and no reply may have it. */
const NEVER_TOLD = [SECRETS.authKey, SECRETS.databasePassword, SECRETS.redisPassword];

const EVERYTHING = Object.values(SECRETS).flat();

/** What no error reply may hold. A reply may name a field or a path that it was asked for, never what a service keeps inside. */
/** @type {readonly (readonly [string, RegExp])[]} */
const INSIDES = [
  ['SQL', /\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM)\b[^"]{0,80}\b(?:FROM|VALUES|SET|WHERE)\b/],
  ['an error of PostgreSQL', /\b(?:syntax error at|violates \w+ constraint|invalid byte sequence|pg_\w+|relation ")/],
  ['a stack', /\bat (?:async )?[\w.<>$ [\]]*\(?(?:file:|node:|\/)[^ )]*:\d+:\d+/],
  ['a path of the machine', /(?:\/(?:home|root|usr|tmp|work|opt|app)\/|node_modules|dist\/src)/],
  ['a connection string', /\b(?:postgres(?:ql)?|redis):\/\//],
  ['an object without a text', /\[object \w+\]/],
];

/**
 * What a reply shows that it may not, or null.
 * @param {number} status
 * @param {string} body
 * @param {string} named what the request named itself by and an error may therefore repeat: its URL, the names of its fields
 * @param {string} asked all that the request said: a pattern that is found there as well was not ours
 */
export function leakInReply(status, body, named, asked) {
  const told = NEVER_TOLD.find((one) => body.includes(one));
  if (told !== undefined) return `the secret ${told}`;
  if (status < 400) return null;
  const repeated = EVERYTHING.find((one) => body.includes(one) && !named.includes(one));
  if (repeated !== undefined) return `the caller's own ${repeated}`;
  for (const [name, pattern] of INSIDES) {
    const found = pattern.exec(body)?.[0];
    if (found !== undefined && !asked.includes(found)) return `${name}: ${found}`;
  }
  return null;
}

/**
 * Which secret a line of the log shows, or null.
 * @param {string} line
 */
export function secretInLog(line) {
  return EVERYTHING.find((one) => line.includes(one)) ?? null;
}
