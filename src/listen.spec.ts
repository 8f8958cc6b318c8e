import { createServer, type AddressInfo } from 'node:net';
import { findListenAddress, hostAfter } from './listen.js';

const failure = (code: string) => Object.assign(new Error('listen'), { code });

describe('where to listen', () => {
  it('is IPv4 alone where the machine has no IPv6, and the same again after any other trouble', () => {
    expect(hostAfter(failure('EAFNOSUPPORT'))).toBe('0.0.0.0');
    expect(hostAfter(failure('EADDRINUSE'))).toBe('::');
  });

  it('is told to be in use by the name of APP_PORT, with and without a host', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, resolve));
    const { port } = other.address() as AddressInfo;
    for (const host of [null, '127.0.0.1']) {
      await expect(findListenAddress({ host, port })).rejects.toThrow(`APP_PORT: port ${port} is in use`);
    }
    await new Promise((resolve) => other.close(resolve));
    await expect(findListenAddress({ host: null, port })).resolves.toMatchObject({ port });
  });
});
