import { PHONE_EXAMPLE } from './message-rules.js';

export const SENT_MESSAGE_EXAMPLE = {
  id: 1,
  recipient_phone: PHONE_EXAMPLE,
  content: 'Your order is on its way',
  sent_status: true,
  sent_at: '2025-07-20T14:36:51.123Z',
  message_id: '67f2f8a8-ea58-4ed0-a6f9-ff217df4d849',
};

export const MESSAGE_EXAMPLE = {
  ...SENT_MESSAGE_EXAMPLE,
  sent_status: false,
  sent_at: null,
  message_id: null,
  state: 'waiting',
  created_at: '2025-07-20T14:36:20.001Z',
  charged_attempts: 0,
  uncharged_attempts: 0,
  doubt: null,
  next_attempt_at: null,
  parked_reason: null,
  parked_at: null,
};

export const CANCELLED_EXAMPLE = {
  ...MESSAGE_EXAMPLE,
  state: 'cancelled',
  parked_reason: 'ordered twice',
  parked_at: '2025-07-20T14:36:30.250Z',
};

export const MESSAGE_WITH_ATTEMPTS_EXAMPLE = {
  ...MESSAGE_EXAMPLE,
  ...SENT_MESSAGE_EXAMPLE,
  state: 'sent',
  charged_attempts: 1,
  attempts_next: null,
  attempts: [
    {
      number: 1,
      started_at: '2025-07-20T14:36:21.004Z',
      duration_ms: 38,
      outcome: 'unavailable',
      http_status: 503,
      error: 'HTTP 503',
      provider_id: null,
      response_excerpt: 'Service Unavailable',
      job_id: 7,
    },
    {
      number: 2,
      started_at: '2025-07-20T14:36:51.101Z',
      duration_ms: 22,
      outcome: 'accepted',
      http_status: 202,
      error: null,
      provider_id: '67f2f8a8-ea58-4ed0-a6f9-ff217df4d849',
      response_excerpt: null,
      job_id: 8,
    },
  ],
};
