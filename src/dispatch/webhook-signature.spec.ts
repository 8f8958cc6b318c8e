import { Webhook } from 'standardwebhooks';
import { WebhookSigner } from './webhook-signature.js';

// The vector that the reference libraries of Standard Webhooks share.
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const ID = 'msg_p5jXN8AQM9LWM0D4loKWxJek';
const AT = 1_614_265_330_000;
const BODY = '{"test": 2432232314}';
const SIGNATURE = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';

const OTHER = `whsec_${Buffer.alloc(64, 7).toString('base64')}`;

describe('signatures of Standard Webhooks', () => {
  it('are those of the published vector', () => {
    expect(new WebhookSigner().sign([SECRET], ID, BODY, AT)).toEqual({
      'webhook-id': ID,
      'webhook-timestamp': '1614265330',
      'webhook-signature': SIGNATURE,
    });
  });

  it('carry whole seconds, rounded down', () => {
    expect(new WebhookSigner().sign([SECRET], ID, BODY, AT + 999)).toEqual(
      new WebhookSigner().sign([SECRET], ID, BODY, AT),
    );
  });

  it('are one for each secret, the first one first, and the reference library takes each', () => {
    const signer = new WebhookSigner();
    const body = '{"to":"+905551111111","content":"ğüşiöç 😀 \\" \\n"}';
    const headers = signer.sign([SECRET, OTHER], ID, body, Date.now());
    const parts = headers['webhook-signature'].split(' ');
    expect(parts).toHaveLength(2);
    expect(parts[0]).toBe(signer.sign([SECRET], ID, body, Date.now())['webhook-signature']);
    for (const secret of [SECRET, OTHER]) {
      expect(new Webhook(secret).verify(body, { ...headers })).toEqual(JSON.parse(body));
    }
    const stranger = new Webhook(`whsec_${Buffer.alloc(24).toString('base64')}`);
    expect(() => stranger.verify(body, { ...headers })).toThrow('No matching signature');
    expect(() => new Webhook(SECRET).verify(`${body} `, { ...headers })).toThrow('No matching signature');
  });

  it('follow a change of the secrets at once', () => {
    const signer = new WebhookSigner();
    expect(signer.sign([SECRET], ID, BODY, AT)['webhook-signature']).toBe(SIGNATURE);
    expect(signer.sign([OTHER], ID, BODY, AT)['webhook-signature']).not.toBe(SIGNATURE);
    expect(signer.sign([SECRET], ID, BODY, AT)['webhook-signature']).toBe(SIGNATURE);
  });
});
