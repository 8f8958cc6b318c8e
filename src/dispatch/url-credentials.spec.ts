import { withoutSecrets } from './delivery.js';
import { credentialsInUrl } from './url-credentials.js';

describe('credentials in the URL of a target', () => {
  it.each([
    ['https://g.example/hooks/T0k3nAb/send?apikey=abcd', ['T0k3nAb', 'abcd']],
    ['https://g.example/v1/accounts/AC12ab34/messages.json', ['AC12ab34']],
    ['https://g.example/sendMessage/xYzAbCdEfG', ['sendMessage', 'xYzAbCdEfG']],
    ['https://g.example/a?from=4f9c1d2e&route=9&pass=hunter', ['4f9c1d2e', 'hunter']],
    ['https://g.example/h%2Fk%20t0ken/x?k9f3a7', ['h/k t0ken', 'k9f3a7']],
    ['https://g.example/abcdefghijklmnopqrst/send', ['abcdefghijklmnopqrst']],
  ])('of %s are %j', (url, found) => {
    expect(credentialsInUrl(url)).toEqual(found);
  });

  it.each([
    'https://g.example/api/v1/messages/send',
    'https://g.example/SMS/send-bulk_messages?format=json&type=text&dlr=true',
    'https://g.example/Messages/Notifications.json',
    'https://g.example/accounts/12345678/messages?user=acme&route=7',
    'https://g.example/',
    'sandbox',
  ])('there are none in %s', (url) => {
    expect(credentialsInUrl(url)).toEqual([]);
  });

  it('are masked where a gateway echoes what was asked for', () => {
    const url = 'https://g.example/hooks/T0k3nAbcd/send?apikey=s3cr+et/x&to=me';
    const told = { credentials: [], inUrl: credentialsInUrl(url), to: '+905551112233', content: 'Hello you there' };
    const said = (body: string) => JSON.stringify(withoutSecrets({ status: 404, retryAfter: null, body }, told));
    expect(said('Cannot POST /hooks/T0k3nAbcd/send?apikey=s3cr+et/x&amp;to=me')).toBe(
      said('Cannot POST /hooks/***/send?apikey=***&amp;to=me'),
    );
    // Of an acceptance the id is kept: it may be made of the name of an account.
    const id = '{"messageId":"T0k3nAbcd-17"}';
    expect(withoutSecrets({ status: 202, retryAfter: null, body: id }, told)).toMatchObject({
      messageId: 'T0k3nAbcd-17',
    });
    expect(said('/hooks/t0k3nabcd/send?apikey=s3cr%20et%2Fx')).not.toMatch(/t0k3nabcd|s3cr/);
  });
});
