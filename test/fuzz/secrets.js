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

/** Whatever a request brings along is its caller's own; these are the service's. */
const OWN = [SECRETS.authKey, SECRETS.newAuthKey, SECRETS.databasePassword, SECRETS.redisPassword];

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
 * What of the inside an error reply shows, or null.
 * @param {string} body
 * @param {string} asked the URL and the body of the request: what is repeated from there is no leak
 */
export function leakInReply(body, asked) {
  const secret = OWN.find((one) => body.includes(one) && !asked.includes(one));
  if (secret !== undefined) return `the secret ${secret}`;
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
