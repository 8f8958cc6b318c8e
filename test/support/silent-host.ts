import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** An address that answers no SYN, as behind a firewall that drops: a listener whose queue is full and that stands still. */
export async function silentHost(): Promise<{ readonly url: string; stop(): void }> {
  const listener = spawn(
    process.execPath,
    [
      '-e',
      `const s=require('net').createServer().listen({port:0,host:'127.0.0.1',backlog:1},()=>console.log(s.address().port))`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [line] = (await once(listener.stdout, 'data')) as [Buffer];
  const port = Number(line.toString());
  listener.kill('SIGSTOP');
  const fillers: Socket[] = [];
  for (let index = 0; index < 8; index += 1) {
    const filler = connect(port, '127.0.0.1');
    filler.on('error', () => undefined);
    fillers.push(filler);
  }
  return {
    url: `http://127.0.0.1:${port}/`,
    stop: () => {
      for (const filler of fillers) filler.destroy();
      listener.kill('SIGKILL');
    },
  };
}
