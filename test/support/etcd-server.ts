import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EtcdGateway, type EtcdTls } from './etcd-gateway.js';
import { eventually } from './eventually.js';
import { serverPort } from './server-port.js';
import { ServerProgram } from './server-program.js';

const ETCD = process.env['TEST_ETCD_BIN'] ?? 'etcd';
const READY_MS = 20_000;

interface Place {
  readonly name: string;
  readonly client: string;
  readonly peer: string;
}

/** A real etcd of the test's own, on free ports of this machine, with its data in a temporary folder. */
export class EtcdServer extends ServerProgram {
  /** What an operator does to it. */
  readonly hands: EtcdGateway;
  readonly url: string;
  private readonly folder = mkdtempSync(join(tmpdir(), 'etcd-'));

  private constructor(
    private readonly place: Place,
    private readonly members: readonly Place[],
    private readonly tls: EtcdTls | null,
  ) {
    super();
    this.url = place.client;
    this.hands = new EtcdGateway(place.client, tls);
  }

  /** Ports and a folder alone: nothing runs until `start`. */
  static async prepared(tls: EtcdTls | null = null): Promise<EtcdServer> {
    const place = await freePlace('one', tls === null ? 'http' : 'https');
    return new EtcdServer(place, [place], tls);
  }

  static async started(tls: EtcdTls | null = null): Promise<EtcdServer> {
    const server = await EtcdServer.prepared(tls);
    await server.start();
    return server;
  }

  static async startedCluster(size: number): Promise<EtcdServer[]> {
    const names = Array.from({ length: size }, (_, index) => `member-${index}`);
    const members = await Promise.all(names.map((name) => freePlace(name, 'http')));
    const servers = members.map((place) => new EtcdServer(place, members, null));
    await Promise.all(servers.map((server) => server.start()));
    return servers;
  }

  /** Starts it with the data that it has; resolves when it answers. */
  async start(): Promise<void> {
    const { name, client, peer } = this.place;
    const options = {
      name,
      'data-dir': join(this.folder, 'data'),
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': this.members.map((member) => `${member.name}=${member.peer}`).join(','),
      'heartbeat-interval': '50',
      'election-timeout': '500',
      ...(this.tls === null ? {} : tlsOptions(this.tls)),
      // The tests kill servers, not the machine. An older etcd does not know it.
      ...((await help()).includes('--unsafe-no-fsync') ? { 'unsafe-no-fsync': 'true' } : {}),
    };
    const args = Object.entries(options).map(([option, value]) => `--${option}=${value}`);
    await this.run(ETCD, args, plainEnvironment());
    await eventually(() => this.hands.healthy(), READY_MS);
  }

  /** Removes all data of the killed server. */
  wipe(): void {
    rmSync(join(this.folder, 'data'), { recursive: true, force: true });
  }

  /** For good: nothing of it is left. */
  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function help(): Promise<string> {
  return (await promisify(execFile)(ETCD, ['--help'], { env: plainEnvironment() })).stdout;
}

function tlsOptions(tls: EtcdTls): Readonly<Record<string, string>> {
  return {
    'cert-file': tls.cert,
    'key-file': tls.key,
    'trusted-ca-file': tls.ca,
    'client-cert-auth': 'true',
  };
}

/** etcd takes every ETCD_* variable for an option, and wants to be told that a rarer processor is meant. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ETCD_')));
  return process.arch === 'x64' ? environment : { ...environment, ETCD_UNSUPPORTED_ARCH: process.arch };
}

async function freePlace(name: string, scheme: string): Promise<Place> {
  const [clientPort, peerPort] = [await serverPort(), await serverPort()];
  return { name, client: `${scheme}://127.0.0.1:${clientPort}`, peer: `http://127.0.0.1:${peerPort}` };
}
