import { contentFault, phoneFault } from '../messages/message-rules.js';
import { MAX_RECORD_BYTES } from './text-block.js';
import type { RowFault, RowTaker } from './row-taker.js';

export const TOO_LONG = `is longer than ${MAX_RECORD_BYTES} bytes`;
export const NOT_UTF8 = 'is not valid UTF-8';

/** Takes the row when its fields obey the rules of a message, and otherwise refuses it with a fault for each that does not. */
export function judgeRow(line: number, recipientPhone: string, content: string, rows: RowTaker): void {
  const ofPhone = phoneFault(recipientPhone);
  const ofContent = contentFault(content);
  if (ofPhone === null && ofContent === null) {
    rows.take(recipientPhone, content, line);
    return;
  }
  const faults: RowFault[] = [];
  if (ofPhone !== null) faults.push({ line, field: 'recipient_phone', reason: ofPhone });
  if (ofContent !== null) faults.push({ line, field: 'content', reason: ofContent });
  rows.refuse(faults);
}

export function refuseRow(line: number, reason: string, rows: RowTaker, field = ''): void {
  rows.refuse([{ line, field, reason }]);
}
