import { PHONE_EXAMPLE } from '../messages/message-rules.js';

const text = (description: string) => ({ type: 'string' as const, description });

/** The bodies of an import as the documentation shows them. */
export const IMPORT_EXAMPLES = {
  'application/x-ndjson': {
    schema: text('One JSON object per line, with `recipient_phone` and `content` and nothing else.'),
    example: [
      { recipient_phone: PHONE_EXAMPLE, content: 'Your order is on its way' },
      { recipient_phone: '+905552222222', content: 'Your order has arrived' },
    ]
      .map((message) => `${JSON.stringify(message)}\n`)
      .join(''),
  },
  'text/csv': {
    schema: text('CSV (RFC 4180); the first line names the columns.'),
    example: `recipient_phone,content\n${PHONE_EXAMPLE},Your order is on its way\n+905552222222,"It has arrived, enjoy"\n`,
  },
};
