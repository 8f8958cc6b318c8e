import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

export type ParkedState = 'failed' | 'uncertain' | 'cancelled';

/** A row of `messages`, as companies fill it and as the service keeps book on it. */
@Entity('messages')
export class Message {
  @PrimaryGeneratedColumn({ type: 'bigint' })
  id!: number;

  @Column({ name: 'recipient_phone', type: 'text' })
  recipientPhone!: string;

  @Column({ type: 'text' })
  content!: string;

  @Column({ name: 'sent_status', type: 'boolean', default: false })
  sentStatus!: boolean;

  /** UTC without a zone: the column is a TIMESTAMP. Select it as text; node-postgres would read it as local time. */
  @Column({ name: 'sent_at', type: 'timestamp', nullable: true })
  sentAt!: Date | null;

  /** The provider's id of the message. Not unique: some receivers answer every request with the same one. */
  @Column({ name: 'message_id', type: 'text', nullable: true })
  messageId!: string | null;

  @Column({ name: 'created_at', type: 'timestamptz', nullable: true, default: () => 'now()' })
  createdAt!: Date | null;

  /** Requests that were charged to this message; trouble of the channel is not. */
  @Column({ type: 'integer', default: 0 })
  attempts!: number;

  /** Requests that were not charged. */
  @Column({ name: 'sit_outs', type: 'integer', default: 0 })
  sitOuts!: number;

  /** The error of the first attempt of which nobody knows the outcome. */
  @Column({ type: 'text', nullable: true })
  doubt!: string | null;

  /** Not to be sent before; null: at once. */
  @Column({ name: 'next_attempt_at', type: 'timestamptz', nullable: true })
  nextAttemptAt!: Date | null;

  /** The job that is sending it now. */
  @Column({ name: 'claimed_by', type: 'bigint', nullable: true })
  claimedBy!: number | null;

  @Column({ name: 'claim_fence', type: 'integer', nullable: true })
  claimFence!: number | null;

  /** Out of the queue until somebody decides. */
  @Column({ name: 'parked_as', type: 'text', nullable: true })
  parkedAs!: ParkedState | null;

  @Column({ name: 'parked_reason', type: 'text', nullable: true })
  parkedReason!: string | null;

  @Column({ name: 'parked_at', type: 'timestamptz', nullable: true })
  parkedAt!: Date | null;
}
