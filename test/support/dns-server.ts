import { createSocket, type Socket } from 'node:dgram';
import { Resolver, type LookupAddress } from 'node:dns';

const A = 1;

/** A real DNS server on loopback: names have IPv4 addresses, which may be others at each question. */
export class DnsServer {
  /** The names that were asked for, in order. */
  readonly questions: string[] = [];
  private readonly answers = new Map<string, (readonly string[])[]>();

  private constructor(private readonly socket: Socket) {}

  static async start(): Promise<DnsServer> {
    const server = new DnsServer(createSocket('udp4'));
    const { socket } = server;
    socket.on('message', (query, { port, address }) => socket.send(server.reply(query), port, address));
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return server;
  }

  /** Each question gets the next of `answers`; the last one stays. */
  name(name: string, ...answers: readonly (readonly string[])[]): void {
    this.answers.set(name, [...answers]);
  }

  /** Looks a name up here and nowhere else, with Node's own resolver. */
  readonly lookup = (
    hostname: string,
    _options: object,
    done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
  ): void => {
    const resolver = new Resolver({ timeout: 1000, tries: 1 });
    resolver.setServers([`127.0.0.1:${this.socket.address().port}`]);
    resolver.resolve4(hostname, (error, addresses) =>
      done(
        error,
        (addresses ?? []).map((address) => ({ address, family: 4 })),
      ),
    );
  };

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.socket.close(() => resolve()));
  }

  private reply(query: Buffer): Buffer {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.subarray(at + 1, at + 1 + length).toString());
      at += 1 + length;
    }
    const question = query.subarray(12, at + 5);
    const name = labels.join('.').toLowerCase();
    this.questions.push(name);
    const left = this.answers.get(name) ?? [];
    const next = left.length > 1 ? left.shift() : left[0];
    const addresses = query.readUInt16BE(at + 1) === A ? (next ?? []) : [];
    const header = Buffer.alloc(12);
    query.copy(header, 0, 0, 2);
    // An authoritative answer; a name without addresses does not exist.
    header.writeUInt16BE(addresses.length === 0 ? 0x8583 : 0x8580, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(addresses.length, 6);
    return Buffer.concat([header, question, ...addresses.map(record)]);
  }
}

/** An A record for the name of the question, not to be kept. */
function record(address: string): Buffer {
  const head = Buffer.from([0xc0, 0x0c, 0, A, 0, 1, 0, 0, 0, 0, 0, 4]);
  return Buffer.concat([head, Buffer.from(address.split('.').map(Number))]);
}
