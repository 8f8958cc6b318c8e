import { connect } from 'node:net';
import { once } from 'node:events';
import { onPath } from '../../test/support/service-binaries.js';
import { freePort } from './built.js';
import { eventually } from './eventually.js';

/**
 * Starts a Redis of its own, on a free port, that keeps nothing on disk; resolves with `host:port`.
 * @param {import('./stage.js').Stage} stage
 * @param {{ durable?: boolean }} [options]
 */
export async function startRedis(stage, { durable = false } = {}) {
  const binary = process.env.TEST_REDIS_SERVER_BIN ?? onPath('redis-server');
  if (binary === undefined)
    throw new Error('redis-server is not on the PATH: install it (apt-get install redis-server)');
  const folder = await stage.folderFor('redis');
  const port = await freePort();
  const args = `--port ${port} --bind 127.0.0.1 --dir ${folder} --appendonly ${durable ? 'yes' : 'no'} --daemonize no`;
  await stage.spawn(binary, [...args.split(' '), '--save', ''], { stdio: 'ignore' });
  await eventually('Redis answers', async () => {
    const socket = connect(port, '127.0.0.1');
    try {
      socket.write('PING\r\n');
      const answer = await once(socket, 'data', { signal: AbortSignal.timeout(1_000) });
      return answer.join('').startsWith('+PONG') || null;
    } finally {
      socket.destroy();
    }
  });
  return `127.0.0.1:${port}`;
}
