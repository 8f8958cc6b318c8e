import { actorOf } from './caller.js';

const withKey = { ip: '10.0.0.1', caller: { name: 'ops' } };
const without = { ip: '10.0.0.1', caller: null };

describe('who acted', () => {
  it('is the key, whatever the caller says of itself', () => {
    expect(actorOf(withKey, { by: 'ali', reason: 'why' })).toEqual({ by: 'ops', onBehalfOf: 'ali', reason: 'why' });
    expect(actorOf(withKey, undefined, 'somebody')).toEqual({ by: 'ops', onBehalfOf: null, reason: null });
  });

  it('is whom the caller names where no key is needed, or else its address', () => {
    expect(actorOf(without, { by: 'ali' })).toEqual({ by: 'ali', onBehalfOf: null, reason: null });
    expect(actorOf(without, undefined)).toEqual({ by: '10.0.0.1', onBehalfOf: null, reason: null });
    expect(actorOf(without, {}, 'POST /stop')).toMatchObject({ by: 'POST /stop' });
  });
});
