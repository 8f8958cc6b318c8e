import { once } from 'node:events';
import { MessageEvent, WebSocket } from 'undici';
import { z } from 'zod';

const Reply = z.object({ id: z.number(), result: z.object({ result: z.object({ value: z.string() }).optional() }) });
const Usage = z.object({ rss: z.number(), heapUsed: z.number() });
const MIB = 1024 * 1024;

/** Looks at the memory of a process that was started with `--inspect`. */
export class Inspector {
  /** @param {WebSocket} socket */
  constructor(socket) {
    this.socket = socket;
    this.calls = 0;
  }

  /** @param {string} url */
  static async connect(url) {
    const socket = new WebSocket(url);
    await once(socket, 'open');
    return new Inspector(socket);
  }

  /**
   * What is left after everything that can be collected was collected.
   * @returns {Promise<import('./types.js').Memory>}
   */
  async memory() {
    // Twice: what a finaliser lets go in the first is collected in the second.
    await this.call('HeapProfiler.collectGarbage');
    await this.call('HeapProfiler.collectGarbage');
    const { value = '' } =
      (await this.call('Runtime.evaluate', { expression: 'JSON.stringify(process.memoryUsage())' })) ?? {};
    const { rss, heapUsed } = Usage.parse(JSON.parse(value));
    return { rssMiB: round(rss / MIB), heapMiB: round(heapUsed / MIB) };
  }

  close() {
    this.socket.close();
  }

  /**
   * @param {string} method
   * @param {object} params
   */
  async call(method, params = {}) {
    const id = ++this.calls;
    this.socket.send(JSON.stringify({ id, method, params }));
    for (;;) {
      const [event] = z.tuple([z.instanceof(MessageEvent)]).parse(await once(this.socket, 'message'));
      const reply = Reply.safeParse(JSON.parse(z.string().parse(event.data)));
      if (reply.success && reply.data.id === id) return reply.data.result.result;
    }
  }
}

/** @param {number} number */
function round(number) {
  return Math.round(number * 10) / 10;
}
