import { z } from 'zod';
import { RequestRefused } from './error-reply.js';
import { RequestValidationPipe } from './request-validation.js';

const one = z.strictObject({ to: z.string(), content: z.string().max(160, 'must have at most 160 characters') });
const oneOrMany = z.union([one, z.array(one)]);

const anyText: unknown = expect.any(String);

async function fieldsOf(schema: z.ZodType, value: unknown, type: 'body' | 'query' = 'body'): Promise<unknown> {
  const error: unknown = await new RequestValidationPipe()
    .transform(value, { type, schema })
    .catch((reason: unknown) => reason);
  if (!(error instanceof RequestRefused)) throw new Error('the value was accepted');
  expect(error.reply.status).toBe(400);
  return error.reply.body.fields;
}

describe('RequestValidationPipe', () => {
  it('hands on what the schema makes of the value', async () => {
    const schema = z.strictObject({ limit: z.coerce.number() });
    expect(await new RequestValidationPipe().transform({ limit: '7' }, { type: 'query', schema })).toEqual({
      limit: 7,
    });
  });

  it('says of a union what is wrong with the branch that was meant', async () => {
    const wrongType = 'must be text, but is a number';
    expect(await fieldsOf(oneOrMany, { to: 5, content: 'x' })).toEqual([{ field: 'to', error: wrongType }]);
    expect(
      await fieldsOf(oneOrMany, [
        { to: 'x', content: 'x' },
        { to: 5, content: 'x' },
      ]),
    ).toEqual([{ field: '1.to', error: wrongType }]);
  });

  it('keeps the wording of a schema that has its own', async () => {
    expect(await fieldsOf(one, { to: 'x', content: 'x'.repeat(161) })).toEqual([
      { field: 'content', error: 'must have at most 160 characters' },
    ]);
  });

  it.each([undefined, null, 'text', 7])('calls the body itself wrong when it is %p', async (value) => {
    expect(await fieldsOf(one, value)).toEqual([{ field: 'body', error: anyText }]);
  });

  it('names at most a hundred fields, however many are wrong', async () => {
    const many = Array.from({ length: 1000 }, () => ({ to: 1, content: 2 }));
    expect(await fieldsOf(z.array(one), many)).toHaveLength(100);
  });
});
