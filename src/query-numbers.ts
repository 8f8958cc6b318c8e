import { z } from 'zod';

// A parameter comes as text; the document says what the text must be.
const WHOLE_NUMBER = { type: 'integer', pattern: undefined } as const;

const WHOLE_NUMBER_TEXT = /^-?\d+$/;

/** Text as a whole number from `min` to `max`, which JavaScript holds exactly: digits alone, no `0x10`, `1e3`, `1.0` or blank. */
export const numberText = (min: number, max: number) =>
  z
    .string()
    .regex(WHOLE_NUMBER_TEXT, { error: 'must be a whole number', abort: true })
    .transform((text, context) => {
      const isLarge = !/^-?0*\d{1,16}$/.test(text);
      // Not -0, which PostgreSQL does not take.
      const value = isLarge ? (text.startsWith('-') ? -Infinity : Infinity) : Number(text) + 0;
      if (value >= min && value <= max) return value;
      context.addIssue({ code: 'custom', message: value < min ? `must be at least ${min}` : `must be at most ${max}` });
      return z.NEVER;
    })
    .meta(WHOLE_NUMBER);

/** How many rows a page may have: `max` at most, and `otherwise` when the request does not say. */
export const limitUpTo = (max: number, otherwise = max) =>
  z
    .string()
    .regex(/^\d{1,4}$/, `must be a whole number from 1 to ${max}`)
    .transform(Number)
    .pipe(z.number().min(1, 'must be at least 1').max(max, `must be at most ${max}`))
    .optional()
    .meta({
      ...WHOLE_NUMBER,
      description: `How many at most; ${otherwise} when left out.`,
      minimum: 1,
      maximum: max,
      example: 100,
    });

/** The number that a page goes on before. */
export const beforeNumber = (description: string) =>
  numberText(1, Number.MAX_SAFE_INTEGER)
    .optional()
    .meta({ ...WHOLE_NUMBER, description, minimum: 1, example: 1000 });
