import { z } from 'zod';

// C0 and C1 controls, and the two separators that some terminals take for line ends.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** A line of text from an operator, which logs and terminals show: nothing in it can look like another line. */
export const operatorText = (description: string, example: string) =>
  z
    .string()
    .trim()
    .min(1, 'must not be blank')
    .max(200, 'must be at most 200 characters')
    .refine((value) => !CONTROL.test(value), 'must not contain control characters or line breaks')
    .refine((value) => value.isWellFormed(), 'must be well-formed text')
    .optional()
    .meta({ description, example });
