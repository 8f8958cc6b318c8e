import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificates {
  readonly folder: string;
  readonly ca: string;
  /** For 127.0.0.1 and localhost, as server and as client. */
  readonly cert: string;
  readonly key: string;
}

/** A CA of the test's own and a certificate that it signed, made with openssl in a temporary folder. */
export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  const at = (name: string): string => join(folder, name);
  const openssl = (command: string): void => {
    execFileSync('openssl', command.split(' '), { cwd: folder, stdio: 'ignore' });
  };
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes';
  const extensions = 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n';
  writeFileSync(at('extensions'), extensions);
  openssl(`req -x509 ${key} -days 1 -subj /CN=ca -keyout ca.key -out ca.pem`);
  openssl(`req ${key} -subj /CN=root -keyout key.pem -out request`);
  openssl('x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -extfile extensions -out cert.pem');
  return { folder, ca: at('ca.pem'), cert: at('cert.pem'), key: at('key.pem') };
}
