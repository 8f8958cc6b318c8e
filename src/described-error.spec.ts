import { runInNewContext } from 'node:vm';
import { describeError } from './described-error.js';

const BOTH_STACKS: unknown = expect.stringMatching(/outer[^]*caused by: Error: inner/);

describe('describeError', () => {
  it('follows causes, and ends at a circle', () => {
    const inner = new Error('inner');
    const outer = new TypeError('outer', { cause: inner });
    inner.cause = outer;
    expect(describeError(outer)).toEqual({
      type: 'TypeError',
      message: 'outer: inner',
      stack_trace: BOTH_STACKS,
    });
  });

  it('tells of every member of an AggregateError without a message', () => {
    const error = new AggregateError([new Error('connect ::1'), new Error('connect 127.0.0.1')]);
    expect(describeError(error).message).toBe('connect ::1; connect 127.0.0.1');
  });

  it('knows an error of another realm', () => {
    const foreign: unknown = runInNewContext(`Object.assign(new Error('from afar'), { code: 'EAFAR' })`);
    expect(describeError(foreign)).toMatchObject({ message: 'from afar', code: 'EAFAR' });
  });

  it.each([[undefined], [null], [7], [{ recipient_phone: 'x' }]])('says of a thrown %p only what it is', (thrown) => {
    expect(describeError(thrown)).toEqual({
      type: typeof thrown,
      message: `a thrown ${typeof thrown} that is not an Error`,
    });
  });
});
