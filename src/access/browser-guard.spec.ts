import { BrowserGuard } from './browser-guard.js';

const guard = new BrowserGuard(
  ['dispatcher.example.com', 'ported.example.com:8443', 'tls.example.com:443'],
  'Machine-1.corp.example',
);

it.each([
  ['POST', { 'sec-fetch-site': 'cross-site' }, 'request.cross_site'],
  ['PUT', { 'sec-fetch-site': 'same-site' }, 'request.cross_site'],
  ['POST', { 'sec-fetch-site': 'same-origin', origin: 'http://localhost:8080' }, undefined],
  ['POST', {}, undefined],
  ['GET', { 'sec-fetch-site': 'cross-site', origin: 'http://evil.example' }, undefined],
  // Plain HTTP, where browsers say no more than this.
  ['POST', { origin: 'http://evil.example' }, 'request.cross_site'],
  ['POST', { origin: 'http://localhost:9999' }, 'request.cross_site'],
  ['DELETE', { origin: 'null' }, 'request.cross_site'],
  ['POST', { origin: 'nonsense' }, 'request.cross_site'],
  ['POST', { origin: 'http://localhost:8080' }, undefined],
  ['POST', { origin: 'http://LOCALHOST:8080' }, undefined],
  // A proxy that ends TLS, and one that changes the Host header.
  ['POST', { origin: 'https://localhost:8080' }, undefined],
  ['POST', { origin: 'https://dispatcher.example.com' }, undefined],
  ['POST', { origin: 'http://dispatcher.example.com' }, undefined],
  ['POST', { host: 'dispatcher.example.com:8080', origin: 'http://dispatcher.example.com:8080' }, undefined],
  ['POST', { host: 'localhost:80', origin: 'http://localhost' }, undefined],
  ['POST', { origin: 'https://ported.example.com:8443' }, undefined],
  ['POST', { origin: 'https://ported.example.com' }, 'request.cross_site'],
  ['POST', { origin: 'https://tls.example.com' }, undefined],
  ['POST', { origin: 'http://tls.example.com' }, 'request.cross_site'],
  // Another port of the same machine is another site, however the machine is called.
  ['POST', { origin: 'https://dispatcher.example.com:9999' }, 'request.cross_site'],
  ['POST', { host: 'dispatcher.example.com:8080', origin: 'http://dispatcher.example.com:9999' }, 'request.cross_site'],
  ['POST', { host: 'machine-1.corp.example:8080', origin: 'http://machine-1.corp.example:9999' }, 'request.cross_site'],
  ['POST', { host: 'machine-1.corp.example:8080', origin: 'http://machine-1.corp.example' }, 'request.cross_site'],
  ['POST', { host: 'machine-1.corp.example:8080', origin: 'http://machine-1.corp.example:8080' }, undefined],
] as const)('a %s with %p is refused with %p', (method, headers, code) => {
  expect(guard.refusalOf(method, { host: 'localhost:8080', ...headers })?.body.code).toBe(code);
});

it.each([
  'localhost',
  'localhost:8080',
  'LocalHost.',
  'app.localhost',
  '127.0.0.1:8080',
  '10.1.2.3',
  '[::1]:8080',
  '[fe80::1]',
  'dispatcher:8080',
  'dispatcher.prod.svc:8080',
  'dispatcher.prod.svc.cluster.local',
  'printer.local',
  'dispatcher.example.com',
  'machine-1.corp.example:8080',
  'ported.example.com',
  undefined,
])('answers to the Host %p', (host) => {
  expect(guard.refusalOf('GET', { ...(host !== undefined && { host }) })).toBeNull();
});

it.each([
  'evil.example',
  'evil.example:8080',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  'a@localhost',
  '',
  ' ',
])('does not answer to the Host %p, which may be any page with a DNS server of its own', (host) => {
  const refusal = guard.refusalOf('GET', { host });
  expect([refusal?.status, refusal?.body.code]).toEqual([403, 'request.unknown_host']);
  expect(refusal?.body.error).toContain('APP_HOSTS');
});
