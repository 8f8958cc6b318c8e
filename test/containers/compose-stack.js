import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const COMMAND_MS = 120_000;
const POLL_MS = 100;

const composeCommand = process.env.COMPOSE ?? 'docker-compose';
const [program = 'docker-compose', ...leading] = composeCommand.split(' ');
const socketPath = (process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock').replace(/^unix:\/\//, '');

/**
 * What `docker-compose` prints on standard output when it is called with `args`; rejects when it does not exit with 0
 * within two minutes.
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env] over this process's own
 */
export async function compose(args, env = {}) {
  const { stdout } = await run(program, [...leading, ...args], {
    timeout: COMMAND_MS,
    maxBuffer: 2 ** 26,
    env: { ...process.env, ...env },
  });
  return stdout;
}

/**
 * What a command prints inside a running service's container.
 * @param {string} service
 * @param {readonly string[]} command
 */
export async function execIn(service, ...command) {
  return (await compose(['exec', '-T', service, ...command])).trim();
}

/**
 * What a line of shell prints when somebody types it at a terminal; rejects when it does not exit with 0.
 * @param {string} line that begins with `docker-compose`
 */
export async function typed(line) {
  const { stdout } = await run('script', ['-qec', line.replace(/^docker-compose/, composeCommand), '/dev/null'], {
    timeout: COMMAND_MS,
  });
  return stdout.replaceAll('\r', '').trim();
}

/** @param {string} sql */
export async function psql(sql) {
  return await execIn('db', 'psql', '-U', 'postgres', '-qtAc', sql);
}

/**
 * @typedef {object} Container
 * @property {{ Status: string, ExitCode: number, OOMKilled: boolean, Health?: { Status: string } }} State
 * @property {{ User: string, Healthcheck?: { Test: string[] } }} Config
 * @property {{ ReadonlyRootfs: boolean }} HostConfig
 */

/**
 * A service's container, ended ones too, as the engine describes it. Asked of the engine itself: each call of
 * `docker-compose` takes a second of processor time.
 * @param {string} service
 * @returns {Promise<Container>}
 */
export async function containerOf(service) {
  const labels = [
    `com.docker.compose.project=${process.env.COMPOSE_PROJECT_NAME}`,
    `com.docker.compose.service=${service}`,
    'com.docker.compose.oneoff=False',
  ];
  const filters = encodeURIComponent(JSON.stringify({ label: labels }));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is read of it is asserted by the tests
  const [found] = /** @type {{ Id: string }[]} */ (await ask(`/containers/json?all=true&filters=${filters}`));
  if (found === undefined) throw new Error(`the service ${service} has no container`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is read of it is asserted by the tests
  return /** @type {Container} */ (await ask(`/containers/${found.Id}/json`));
}

/**
 * What the engine answers.
 * @param {string} path
 * @returns {Promise<unknown>}
 */
async function ask(path) {
  /** @type {import('node:http').IncomingMessage} */
  const reply = await new Promise((resolve, reject) => {
    request({ socketPath, path }, resolve).on('error', reject).end();
  });
  return JSON.parse((await reply.setEncoding('utf8').toArray()).join(''));
}

/**
 * The first value of `look` that is neither undefined nor false, looked for every 100 ms.
 * @template T
 * @param {string} what is waited for, for the error
 * @param {number} limitMs
 * @param {() => Promise<T | undefined | false>} look a rejection counts as "not yet"
 * @returns {Promise<T>}
 */
export async function eventually(what, limitMs, look) {
  const deadline = Date.now() + limitMs;
  /** @type {unknown} */
  let cause;
  while (Date.now() < deadline) {
    try {
      const value = await look();
      if (value !== undefined && value !== false) return value;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await sleep(POLL_MS);
  }
  throw new Error(`${what}: not within ${limitMs} ms`, { cause });
}

/** @param {readonly string[]} services */
export async function allHealthy(...services) {
  await eventually(`${services.join(', ')} to be healthy`, 60_000, async () => {
    const containers = await Promise.all(services.map(containerOf));
    return containers.every(({ State }) => State.Health?.Status === 'healthy');
  });
}
