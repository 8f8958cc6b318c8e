import { maskUrl, showTarget } from './mask-url.js';

describe('maskUrl', () => {
  it.each([
    ['postgres://me:hunter2@db/x', 'postgres://***@db/x'],
    ['postgres://me:hun@ter2@db/x?password=hunter3&a=1', 'postgres://***@db/x?password=***&a=1'],
    ['host=db password=hunter2 user=u', 'host=db password=*** user=u'],
    ["host=db password='two words' user=u", 'host=db password=*** user=u'],
    [String.raw`host=db password='it\'s two' user=u`, 'host=db password=*** user=u'],
    ["host=db password='never ended", 'host=db password=***'],
    ['password=hunter2', 'password=***'],
    ['http://h/?apiKey=s;3cret&x=1', 'http://h/?apiKey=***&x=1'],
    ['http://h/?a=b', 'http://h/?a=b'],
    ['12', '12'],
  ])('%s becomes %s', (text, masked) => {
    expect(maskUrl(text)).toBe(masked);
  });
});

describe('showTarget', () => {
  it.each([
    ['https://example.com', 'https://example.com'],
    ['https://example.com:8443/', 'https://example.com:8443/'],
    ['https://example.com/services/T000/B000/s3cret', 'https://example.com/…'],
    ['https://example.com/bot123:s3cret/send?sig=s3cret&pin=1#s3cret', 'https://example.com/…?***'],
    ['https://example.com?code=s3cret', 'https://example.com?***'],
    ['http://[::1]:80/x', 'http://[::1]:80/…'],
    ['http://me:s3cret@example.com/', '***'],
    ['https://example.com\\s3cret', 'https://example.com/…'],
    ['s3cret', '***'],
  ])('%s is shown as %s', (url, shown) => {
    expect(showTarget(url)).toBe(shown);
  });
});
