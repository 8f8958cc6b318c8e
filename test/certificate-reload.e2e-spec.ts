import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { makeCertificates } from './support/certificates.js';
import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';

jest.setTimeout(60_000);

/** The serial number of the certificate that is served. */
async function serialOf(origin: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket: TLSSocket = connect(
      { host: '127.0.0.1', port: Number(new URL(origin).port), rejectUnauthorized: false },
      () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.end();
      },
    );
    socket.on('error', reject);
  });
}

async function headersOf(url: string) {
  return await new Promise<NodeJS.Dict<string | string[]>>((resolve, reject) => {
    request(url, { rejectUnauthorized: false }, (reply) => {
      resolve(reply.headers);
      reply.resume();
    })
      .on('error', reject)
      .end();
  });
}

describe('the certificate', () => {
  let stage: Stage;
  beforeAll(async () => (stage = await Stage.set()));
  afterAll(() => stage.strike());

  it('is served as its files have it, without a restart; files that do not fit change nothing, with a warning', async () => {
    const inUse = makeCertificates();
    const renewed = makeCertificates();
    const app = await stage.replica(
      { auto_sending: false },
      { USE_HTTPS: 'true', TLS_CERT: inUse.cert, TLS_KEY: inUse.key },
    );
    const first = await serialOf(app.origin);
    expect((await headersOf(`${app.origin}/health`))['strict-transport-security']).toMatch(/max-age=\d+/);

    await copyFile(renewed.cert, inUse.cert);
    await app.logged(/TLS_CERT and TLS_KEY changed and cannot be used/);
    expect(await serialOf(app.origin)).toBe(first);

    await copyFile(renewed.key, inUse.key);
    await eventually(async () => expect(await serialOf(app.origin)).not.toBe(first), 10_000);
    const second = await serialOf(app.origin);

    const key = await readFile(inUse.key, 'utf8');
    await writeFile(inUse.key, 'nonsense');
    await eventually(
      () => expect(app.lines.filter(({ message }) => message.startsWith('TLS_CERT and')).length).toBeGreaterThan(1),
      10_000,
    );
    expect(await serialOf(app.origin)).toBe(second);
    expect(app.printed.join('\n')).not.toContain(key.split('\n')[1]);
  });
});
