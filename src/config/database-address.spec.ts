import { parseDatabaseAddress } from './database-address.js';

const urlsOf = (text: string) => parseDatabaseAddress(text)?.servers.map(({ url }) => url);

describe('the address of a database', () => {
  it('of one server is passed on as it is, and taken whether it can be written to or not', () => {
    const url = 'postgres://u:p%40w@db:5432/postgres?sslmode=disable';
    expect(parseDatabaseAddress(url)).toEqual({
      servers: [{ url, at: null }],
      writable: false,
      serverTimeoutMs: 5_000,
    });
  });

  it('of several servers is one URL for each, in their order, of which one must take writes', () => {
    const address = parseDatabaseAddress('postgresql://u:p@a:5433,b,[::1]:5434/d?sslmode=require');
    expect(address?.servers).toEqual([
      { url: 'postgresql://u:p@a:5433/d?sslmode=require', at: { host: 'a', port: 5433 } },
      { url: 'postgresql://u:p@b/d?sslmode=require', at: { host: 'b', port: 5432 } },
      { url: 'postgresql://u:p@[::1]:5434/d?sslmode=require', at: { host: '::1', port: 5434 } },
    ]);
    expect(address).toMatchObject({ writable: true, serverTimeoutMs: 2_000 });
  });

  it('keeps commas and at signs of the password to the password', () => {
    expect(urlsOf('postgres://u:a,b@c@h1,h2/d')).toEqual(['postgres://u:a,b@c@h1/d', 'postgres://u:a,b@c@h2/d']);
  });

  it.each([
    ['h/d', false],
    ['h/d?target_session_attrs=any', false],
    ['h/d?target_session_attrs=read-write', true],
    ['h/d?target_session_attrs=primary', true],
    ['h1,h2/d?target_session_attrs=read-write', true],
  ])('%s: a server must take writes: %s', (rest, writable) => {
    expect(parseDatabaseAddress(`postgres://${rest}`)?.writable).toBe(writable);
  });

  it.each([
    ['h/d?connect_timeout=7', 7_000],
    ['h1,h2/d?connect_timeout=1', 1_000],
    ['h1,h2/d?connect_timeout=0', 2_000],
  ])('%s: a server may take %i ms', (rest, serverTimeoutMs) => {
    expect(parseDatabaseAddress(`postgres://${rest}`)?.serverTimeoutMs).toBe(serverTimeoutMs);
  });

  it.each([
    'mysql://h/d',
    'h1,h2',
    'postgres://h1,,h2/d',
    'postgres://h1,h2:99999/d',
    'postgres://h1:x,h2/d',
    'postgres://h1,h2/d?target_session_attrs=any',
    'postgres://h1,h2/d?target_session_attrs=standby',
    'postgres://h/d?target_session_attrs=read-only',
  ])('is not %s', (text) => {
    expect(parseDatabaseAddress(text)).toBeUndefined();
  });
});
