import { webhookAllow } from './webhook-allow.js';
import { WebhookTargets } from './webhook-targets.js';

const NOWHERE = { ranges: [], hosts: [] };

function targets(allow = '', env = 'production'): WebhookTargets {
  return new WebhookTargets({ env, webhookAllow: allow === '' ? NOWHERE : webhookAllow.parse(allow) });
}

describe('where the webhook may be', () => {
  it.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://0x7f.1/',
    'http://0x7f000001/',
    'http://2130706433/',
    'http://017700000001/',
    'http://127.0.0.1./',
    'http://①②⑦.0.0.1/',
    'http://%31%32%37.0.0.1/',
    'http://0/',
    'http://[::1]/',
    'http://[::ffff:7f00:1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[0:0:0:0:0:ffff:7f00:1]/',
    'http://[::127.0.0.1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[2002:7f00:1::]/',
    'http://169.254.169.254/latest/meta-data/',
    'http://[fd00:ec2::254]/',
    'https://10.1.2.3:8443/x',
  ])('is not %s, and the refusal names the remedy', (url) => {
    expect(targets().refusalOf(url)).toContain('APP_WEBHOOK_ALLOW');
    expect(targets('', 'local').refusalOf(url)).toBeNull();
  });

  it('is the internet, and what a name leads to is judged when it is known', () => {
    expect(targets().refusalOf('https://1.1.1.1/')).toBeNull();
    expect(targets().refusalOf('https://localhost/')).toBeNull();
    expect(targets().refusal('gateway.example', '1.1.1.1')).toBeNull();
    expect(targets().refusal('gateway.example', '10.0.0.1')).toBe(
      'gateway.example may not be called: its address 10.0.0.1 is not on the internet (private use); ' +
        'if that is meant, name it in APP_WEBHOOK_ALLOW',
    );
  });

  it.each([
    ['10.0.0.0/8', '10.255.255.255', '11.0.0.0'],
    ['10.1.2.3', '10.1.2.3', '10.1.2.4'],
    ['127.0.0.0/8,::1', '::1', '::2'],
    ['127.0.0.0/8', '::ffff:7f00:1', '::1'],
    [' fd00::/8 , 192.168.0.0/16 ', 'fdff::1', 'fc00::1'],
    ['[fd00::1]', 'fd00::1', 'fd00::2'],
    ['fe80::/10', 'fe80::1%eth0', '169.254.0.1'],
    ['0.0.0.0/0', '255.255.255.255', '::1'],
    ['::/0', '::1', '10.0.0.1'],
  ])('is also in %s', (allow, inside, outside) => {
    expect(targets(allow).refusal('gateway.example', inside)).toBeNull();
    // 11.0.0.0 needs no permission.
    expect(targets(allow).refusal('gateway.example', outside) === null).toBe(outside === '11.0.0.0');
  });

  it('is any address of a host that is named, and of no other host', () => {
    const some = targets('receiver.internal,10.0.0.1');
    for (const name of ['receiver.internal', 'RECEIVER.Internal', 'receiver.internal.']) {
      expect(some.refusal(name, '172.16.0.1')).toBeNull();
    }
    for (const name of ['a.receiver.internal', 'receiver.internal.example', 'internal', '172.16.0.1']) {
      expect(some.refusal(name, '172.16.0.1')).not.toBeNull();
    }
  });
});

describe('APP_WEBHOOK_ALLOW', () => {
  it('holds ranges, addresses and hosts, normalised', () => {
    expect(webhookAllow.parse('10.0.0.0/8, ::1,[fd00::]/8,Receiver.Internal.,my_service')).toEqual({
      ranges: ['10.0.0.0/8', '::1/128', 'fd00::/8'],
      hosts: ['receiver.internal', 'my_service'],
    });
  });

  it.each([
    ',',
    '10.0.0.0/8,',
    '10.0.0.0/33',
    '::1/129',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0.256',
    '127.1',
    '0x7f.1',
    '2130706433',
    'fd00::/8/',
    '[::1',
    '::1]',
    'fe80::1%eth0',
    'http://receiver',
    'receiver:8080',
    '*.internal',
    'receiver..internal',
    '-receiver',
    'a b',
    `${'a'.repeat(64)}.example`,
    'é.example',
  ])('refuses %j', (text) => {
    expect(webhookAllow.safeParse(text).success).toBe(false);
  });
});
