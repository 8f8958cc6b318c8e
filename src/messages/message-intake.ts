import { Injectable } from '@nestjs/common';
import { MessageNotFound, MessagesInvalid } from './message-errors.js';
import { newMessageSchema, type ItemResult, type MessageView } from './message.schemas.js';
import { MessagesRepository, type NewMessage } from './messages.repository.js';

/** Takes new messages in. A request is stored as a whole or not at all. */
@Injectable()
export class MessageIntake {
  constructor(private readonly messages: MessagesRepository) {}

  async store(message: NewMessage): Promise<MessageView> {
    const [id = 0] = await this.messages.insert([message]);
    const stored = await this.messages.find(id);
    if (stored === null) throw new MessageNotFound(id);
    const { attempts: _, ...view } = stored;
    return view;
  }

  /** @throws MessagesInvalid when an item cannot be a message; nothing is stored then. */
  async storeAll(items: readonly unknown[]): Promise<{ results: ItemResult[] }> {
    const checked = items.map((item) => newMessageSchema.safeParse(item));
    if (checked.some((result) => !result.success)) throw new MessagesInvalid(checked.map(verdict));
    const ids = await this.messages.insert(checked.flatMap((result) => (result.success ? [result.data] : [])));
    return { results: ids.map((id, index) => ({ index, status: 'accepted', id })) };
  }
}

function verdict(result: ReturnType<typeof newMessageSchema.safeParse>, index: number): ItemResult {
  if (result.success) return { index, status: 'not_stored' };
  const errors = result.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((field) => ({ field, error: 'is not a field of a message' }))
      : [{ field: issue.path.join('.'), error: issue.message }],
  );
  return { index, status: 'invalid', errors };
}
