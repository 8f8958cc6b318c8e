import { z } from 'zod';

/** The one shape of every error reply: a sentence for people, a stable code for programs, and what the code adds. */
export const errorReplySchema = z
  .looseObject({
    error: z.string().meta({ description: 'What went wrong and what would mend it, in one sentence.' }),
    code: z.string().meta({ description: 'Stable, for programs.' }),
    fields: z
      .array(z.strictObject({ field: z.string(), error: z.string() }))
      .optional()
      .meta({ description: 'With `request.invalid`: each field that was refused, and why.' }),
  })
  .meta({ id: 'ErrorReply' });

export interface RefusedField {
  /** The path of the field, as in `messages.3.content`; empty when the value as a whole was refused. */
  readonly field: string;
  readonly error: string;
}

export interface ErrorReply {
  readonly error: string;
  readonly code: string;
  readonly fields?: readonly RefusedField[];
  readonly [detail: string]: unknown;
}

/** An error reply together with how it is sent. */
export interface HttpErrorReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: ErrorReply;
}

/** Thrown by the HTTP layer itself, where the reply is already known. */
export class RequestRefused extends Error {
  constructor(readonly reply: HttpErrorReply) {
    super(reply.body.error);
  }
}
