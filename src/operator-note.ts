import { z } from 'zod';
import { hiddenCharacterOf, isInvisible } from './hidden-characters.js';

/** A line of text from an operator, which logs and terminals show: nothing in it can look like another line or another name. */
export const operatorText = (description: string, example: string) =>
  z
    .string()
    .trim()
    .min(1, 'must not be blank')
    .max(200, 'must be at most 200 characters')
    .superRefine((value, context) => {
      const hidden = hiddenCharacterOf(value);
      if (hidden !== null) {
        const message = `must be one line of visible text, without control or formatting characters: remove ${hidden}`;
        context.addIssue({ code: 'custom', message });
      } else if (value !== '' && isInvisible(value)) context.addIssue({ code: 'custom', message: 'must not be blank' });
    })
    .refine((value) => value.isWellFormed(), 'must be well-formed text')
    .optional()
    .meta({ description, example });
