// Generated from docs/openapi.json by `npm run openapi`.

export interface paths {
  '/config': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * The live settings in force
     * @description Each with its source and version, what was refused and why, and how the sources do. Secrets are masked.
     */
    get: operations['getConfig'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/config/{key}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    /**
     * Set a live setting in etcd
     * @description In force here when it is answered, and on every replica within 100 ms. A 503 `config.etcd_unavailable` that does not say that nothing was changed leaves open whether it was: look at `GET /config`.
     */
    put: operations['setConfig'];
    post?: never;
    /**
     * Delete a live setting from etcd
     * @description The YAML file counts then, or the default. Deleting what is not there is no error.
     */
    delete: operations['deleteConfig'];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/health': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * The process answers
     * @description Says nothing of what it depends on, and asks nobody.
     */
    get: operations['getHealth'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/health/live': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * The scheduler loop turns
     * @description Touches no network. 503 when the loop has ended, or has hung in one turn for 30 s: restart what answers so.
     */
    get: operations['getLiveness'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/health/ready': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * The service can send
     * @description PostgreSQL answers within a second, the schema is up to date, `webhook_url` is set, the scheduler has been able to do its part within the last minute, and the process is not shutting down. Redis and etcd may be lost: they are then `up` with `stale: true`, since sending goes on. That retention cannot delete or erase something, and that lines of the log are lost, is told there, too, and costs no readiness.
     */
    get: operations['getReadiness'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/messages': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Messages by state, oldest first
     * @description When there is more, `Link: <…>; rel="next"` tells the next page. One call looks at 10,000 messages at most: a page of `waiting`, `sending` or `sent` may be short or empty and have a next one all the same.
     */
    get: operations['listMessages'];
    put?: never;
    /**
     * Store a message, or up to 1,000
     * @description One message is answered with that message; a list with a result per item. All of a list is stored, or nothing: when an item is refused the reply is 400 and `results` tells which.
     */
    post: operations['createMessages'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/messages/import': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Store a file of messages
     * @description NDJSON (a message per line) or CSV (the first line names the columns `recipient_phone,content`), in UTF-8. The rows are stored in their order and in one transaction when the last has come; a client that goes away before leaves nothing behind. A commit that has begun is finished, also when the service ends. A record has at most 16 KiB. The upload may take hours, as long as something comes every `APP_SERVER_READ_TIMEOUT` seconds and 600 KiB in each minute. `APP_IMPORT_MAX_BYTES` (1 GiB) and `APP_IMPORT_MAX_ROWS` (10,000,000) limit it. Two imports at once per replica.
     */
    post: operations['importFile'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/messages/replay': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Send parked messages again
     * @description All that match the filter and were parked before the call, in the order of their ids. One call works for up to 20 s: while the answer says `complete: false`, the same call goes on with the rest, as it does after a 503 (`after: next_after` spares it what the database refused before). A message that the database refuses to change, or that another transaction holds, stays as it is, is counted and holds up no other.
     */
    post: operations['replayMessages'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/messages/{id}': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** One message, with its newest attempts */
    get: operations['getMessage'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/messages/{id}/attempts': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * The attempts to send a message, newest first
     * @description When there is more, `Link: <…>; rel="next"` tells the next page. What was kept of a message that was deleted is listed; an id that never was has none.
     */
    get: operations['listAttempts'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/messages/{id}/cancel': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Take a message out of the queue
     * @description Until it is retried. One that is being sent is left alone.
     */
    post: operations['cancelMessage'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/messages/{id}/resolve': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /** Say whether an uncertain message was delivered */
    post: operations['resolveMessage'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/messages/{id}/retry': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Send a parked or pausing message again
     * @description In its turn, under the same idempotency key, with a fresh count of attempts.
     */
    post: operations['retryMessage'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/operator-actions': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * What operators did, newest first
     * @description Who, when, what and why. When there is more, `Link: <…>; rel="next"` tells the next page.
     */
    get: operations['listOperatorActions'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/retention': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** What is deleted and erased after how many days, and what became of it */
    get: operations['getRetention'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/scheduler': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /** The schedule, its queue, and the newest jobs */
    get: operations['getScheduler'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/sent': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Sent messages, newest first
     * @description The newest 1,000 unless `limit` says less. When there is more, `Link: <…>; rel="next"` tells the next page.
     */
    get: operations['listSent'];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/start': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Start sending, on every replica
     * @description The next job runs one interval after the last slot, or at once when that has passed. Works while `auto_sending` is false. Repeating it changes nothing, but that a replica which stands back after trouble with the receiver tries again at once.
     */
    post: operations['start'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  '/stop': {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Stop sending, on every replica
     * @description Waiting jobs are discarded, messages never. When the reply comes no request is in flight and none begins; that takes the webhook timeout and a second at most. A 503 `scheduler.stop_unconfirmed` says that sending is stopped and that a replica went silent, whose last requests may be under way until a time that it names: ask again then. It survives restarts until the next start or the next change of `auto_sending`.
     */
    post: operations['stop'];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
}
export type webhooks = Record<string, never>;
export interface components {
  schemas: {
    Act: {
      /**
       * @description Who acts, or for whom a key acts; the address when both are left out.
       * @example ali
       */
      by?: string;
      /**
       * @description Why, for whoever looks later.
       * @example the provider confirmed it by phone
       */
      reason?: string;
    };
    Alive: {
      /** @enum {string} */
      status: 'healthy';
    };
    /**
     * @example {
     *       "results": [
     *         {
     *           "index": 0,
     *           "status": "accepted",
     *           "id": 1
     *         }
     *       ]
     *     }
     */
    BatchResult: {
      results: {
        index: number;
        /** @enum {string} */
        status: 'accepted' | 'invalid' | 'not_stored';
        id?: number;
        /** @description Of an invalid one. A reply lists 100 over all items; `errors_left_out` says how many more there are. */
        errors?: {
          field: string;
          error: string;
        }[];
      }[];
    };
    ChangeRequest: {
      /**
       * @description Who asks, or for whom a key asks; the call and the address when both are left out.
       * @example ali
       */
      by?: string;
      /**
       * @description Why, for whoever looks later.
       * @example the gateway is being moved
       */
      reason?: string;
    };
    DeliveryAttempt: {
      number: number;
      /**
       * Format: date-time
       * @example 2025-07-20T14:36:51.123Z
       */
      started_at: string;
      duration_ms: number | null;
      /** @enum {string} */
      outcome: 'accepted' | 'refused' | 'unavailable' | 'channel' | 'uncertain';
      http_status: number | null;
      error: string | null;
      provider_id: string | null;
      /** @description The first 4 KiB at most, when it was not a 2xx. */
      response_excerpt: string | null;
      job_id: number;
    };
    ErrorReply: {
      /** @description What went wrong and what would mend it, in one sentence. */
      error: string;
      /** @description Stable, for programs. */
      code: string;
      /** @description With `request.invalid`: each field that was refused, and why. */
      fields?: {
        field: string;
        error: string;
      }[];
    } & {
      [key: string]: unknown;
    };
    HealthReport: {
      /** @enum {string} */
      status: 'ok' | 'error' | 'shutting_down';
      info: {
        [key: string]: {
          /** @enum {string} */
          status: 'up' | 'down';
        } & {
          [key: string]: unknown;
        };
      };
      error: {
        [key: string]: {
          /** @enum {string} */
          status: 'up' | 'down';
        } & {
          [key: string]: unknown;
        };
      };
      details: {
        [key: string]: {
          /** @enum {string} */
          status: 'up' | 'down';
        } & {
          [key: string]: unknown;
        };
      };
    };
    ImportReport: {
      /**
       * @example per-row
       * @enum {string}
       */
      mode: 'all-or-nothing' | 'per-row';
      /**
       * @description Rows that were read.
       * @example 1000
       */
      rows: number;
      /** @example 999 */
      stored: number;
      /** @example 1 */
      refused: number;
      /** @description The first 1000, in the order of the lines. */
      faults: components['schemas']['RowFault'][];
      /**
       * @description Further faults, which are not listed.
       * @example 0
       */
      faults_left_out: number;
    };
    /**
     * @example {
     *       "id": 42,
     *       "state": "done",
     *       "due_at": "2025-07-20T14:36:51.000Z",
     *       "started_at": "2025-07-20T14:36:51.004Z",
     *       "finished_at": "2025-07-20T14:36:51.123Z",
     *       "tail_since": null,
     *       "owner": "dispatcher-0/7/5c2f1a9e",
     *       "budget": 2,
     *       "sent": 2,
     *       "not_sent": 0,
     *       "note": null
     *     }
     */
    Job: {
      id: number;
      /** @enum {string} */
      state: 'waiting' | 'running' | 'done' | 'dropped';
      /**
       * Format: date-time
       * @description The slot.
       * @example 2025-07-20T14:36:51.123Z
       */
      due_at: string;
      /**
       * Format: date-time
       * @example 2025-07-20T14:36:51.123Z
       */
      started_at: string | null;
      /**
       * Format: date-time
       * @example 2025-07-20T14:36:51.123Z
       */
      finished_at: string | null;
      /**
       * Format: date-time
       * @description Since when it makes no more requests and only waits for answers, so that the next job began beside it; null when it never did.
       * @example 2025-07-20T14:36:51.123Z
       */
      tail_since: string | null;
      /** @description The replica that runs it, or ran it last; null while it waits to go on. */
      owner: string | null;
      /** @description Attempts that it may make: `rate_limit` when it began. */
      budget: number | null;
      sent: number;
      /** @description Attempts that did not end in a 2xx. */
      not_sent: number;
      /** @description Why it ended early, if it did. */
      note: string | null;
    };
    /**
     * @example {
     *       "complete": true,
     *       "settings": [
     *         {
     *           "key": "rate_limit",
     *           "value": 50,
     *           "source": "etcd",
     *           "version": "17",
     *           "unknown": null,
     *           "fleet": null,
     *           "difference": null,
     *           "refused": []
     *         },
     *         {
     *           "key": "scheduler_interval",
     *           "value": 120,
     *           "source": "fleet",
     *           "version": "2026-01-20T14:36:51.123Z",
     *           "unknown": "file holds a value that is refused",
     *           "fleet": {
     *             "value": 120,
     *             "source": "file",
     *             "version": "2026-01-20T14:36:51.123Z",
     *             "set_at": "2026-01-20T14:36:52.000Z"
     *           },
     *           "difference": null,
     *           "refused": [
     *             {
     *               "source": "file",
     *               "version": "2026-01-20T14:36:51.123Z",
     *               "reason": "scheduler_interval must be a whole number from 1 to 2147483, but is \"0\""
     *             }
     *           ]
     *         },
     *         {
     *           "key": "webhook_auth_key",
     *           "value": "***",
     *           "source": "etcd",
     *           "version": "16",
     *           "unknown": null,
     *           "fleet": null,
     *           "difference": null,
     *           "refused": []
     *         }
     *       ],
     *       "sources": [
     *         {
     *           "name": "etcd",
     *           "connected": true,
     *           "since": "2026-01-20T14:36:51.123Z",
     *           "problem": null,
     *           "version": "17",
     *           "unknown_keys": [
     *             "rate_limt"
     *           ]
     *         }
     *       ]
     *     }
     */
    LiveConfig: {
      /** @description Whether every source has been read at least once. */
      complete: boolean;
      settings: components['schemas']['LiveSetting'][];
      sources: {
        /** @enum {string} */
        name: 'etcd' | 'file' | 'memory';
        connected: boolean;
        /**
         * Format: date-time
         * @description Since when it is connected, or not.
         * @example 2026-01-20T14:36:51.123Z
         */
        since: string;
        problem: string | null;
        /**
         * @description Of what was read last: the revision of etcd.
         * @example 17
         */
        version: string | null;
        unknown_keys: string[];
      }[];
    };
    /**
     * @example {
     *       "key": "rate_limit",
     *       "value": 50,
     *       "source": "etcd",
     *       "version": "17",
     *       "unknown": null,
     *       "fleet": null,
     *       "difference": null,
     *       "refused": []
     *     }
     */
    LiveSetting: {
      /** @example rate_limit */
      key: string;
      /**
       * @description In force. Seconds where it is a time; `***` for a secret.
       * @example 50
       */
      value: (string | null) | number | boolean | number[];
      /**
       * @description Who said so; `fleet`: what the replicas last agreed on, while this one cannot tell.
       * @enum {string}
       */
      source: 'etcd' | 'file' | 'memory' | 'fleet' | 'default';
      /**
       * @description The revision in etcd, or the time of the file.
       * @example 17
       */
      version: string | null;
      /** @description Why the sources of this replica do not tell it; null when they do. It decides nothing for others then. */
      unknown: string | null;
      /** @description What the replicas last agreed on. All work with it where it is one thing for all of them: `auto_sending`, `scheduler_interval`, `scheduler_queue_capacity`, `scheduler_workers`. null for secrets and `webhook_url`, and before the first boot. */
      fleet: {
        value: number | boolean | string | number[];
        /** @enum {string} */
        source: 'etcd' | 'file' | 'memory' | 'default';
        version: string;
        /**
         * Format: date-time
         * @example 2026-01-20T14:36:51.123Z
         */
        set_at: string;
      } | null;
      /** @description Why what the replicas agreed on is not what the sources of this one say, and what to do; null when it is. */
      difference: string | null;
      /** @description What a source holds and what does not fit; it changes nothing. */
      refused: {
        /** @enum {string} */
        source: 'etcd' | 'file' | 'memory';
        version: string;
        reason: string;
      }[];
    };
    /**
     * @example {
     *       "id": 1,
     *       "recipient_phone": "+905551111111",
     *       "content": "Your order is on its way",
     *       "sent_status": false,
     *       "sent_at": null,
     *       "message_id": null,
     *       "state": "waiting",
     *       "created_at": "2025-07-20T14:36:20.001Z",
     *       "charged_attempts": 0,
     *       "uncharged_attempts": 0,
     *       "doubt": null,
     *       "next_attempt_at": null,
     *       "parked_reason": null,
     *       "parked_at": null
     *     }
     */
    Message: {
      /** @example 1 */
      id: number;
      /** @example +905551111111 */
      recipient_phone: string;
      /** @example Your order is on its way */
      content: string;
      /** @example true */
      sent_status: boolean;
      /**
       * Format: date-time
       * @description UTC; null for a row that was marked by hand without a time.
       * @example 2025-07-20T14:36:51.123Z
       */
      sent_at: string | null;
      /**
       * @description The provider's id.
       * @example 67f2f8a8-ea58-4ed0-a6f9
       */
      message_id: string | null;
      /** @enum {string} */
      state: 'waiting' | 'sending' | 'sent' | 'failed' | 'uncertain' | 'cancelled';
      /**
       * Format: date-time
       * @example 2025-07-20T14:36:51.123Z
       */
      created_at: string | null;
      /** @description Attempts that count towards `max_attempts`. */
      charged_attempts: number;
      /** @description Attempts that do not count: their answer may be the fault of the way. The first 10 are in `attempts`. */
      uncharged_attempts: number;
      /** @description The error of the first attempt of which nobody knows the outcome; null: there is none. A message with a doubt is never parked as failed. `POST /messages/:id/resolve` ends it. */
      doubt: string | null;
      /**
       * Format: date-time
       * @description After a failed attempt: not sent before.
       * @example 2025-07-20T14:36:51.123Z
       */
      next_attempt_at: string | null;
      /** @description Why it was taken out of the queue, or what keeps PostgreSQL from changing its row. */
      parked_reason: string | null;
      /**
       * Format: date-time
       * @example 2025-07-20T14:36:51.123Z
       */
      parked_at: string | null;
    };
    /**
     * @example {
     *       "id": 1,
     *       "recipient_phone": "+905551111111",
     *       "content": "Your order is on its way",
     *       "sent_status": true,
     *       "sent_at": "2025-07-20T14:36:51.123Z",
     *       "message_id": "67f2f8a8-ea58-4ed0-a6f9-ff217df4d849",
     *       "state": "sent",
     *       "created_at": "2025-07-20T14:36:20.001Z",
     *       "charged_attempts": 1,
     *       "uncharged_attempts": 0,
     *       "doubt": null,
     *       "next_attempt_at": null,
     *       "parked_reason": null,
     *       "parked_at": null,
     *       "attempts_next": null,
     *       "attempts": [
     *         {
     *           "number": 1,
     *           "started_at": "2025-07-20T14:36:21.004Z",
     *           "duration_ms": 38,
     *           "outcome": "unavailable",
     *           "http_status": 503,
     *           "error": "HTTP 503",
     *           "provider_id": null,
     *           "response_excerpt": "Service Unavailable",
     *           "job_id": 7
     *         },
     *         {
     *           "number": 2,
     *           "started_at": "2025-07-20T14:36:51.101Z",
     *           "duration_ms": 22,
     *           "outcome": "accepted",
     *           "http_status": 202,
     *           "error": null,
     *           "provider_id": "67f2f8a8-ea58-4ed0-a6f9-ff217df4d849",
     *           "response_excerpt": null,
     *           "job_id": 8
     *         }
     *       ]
     *     }
     */
    MessageWithAttempts: {
      /** @example 1 */
      id: number;
      /** @example +905551111111 */
      recipient_phone: string;
      /** @example Your order is on its way */
      content: string;
      /** @example true */
      sent_status: boolean;
      /**
       * Format: date-time
       * @description UTC; null for a row that was marked by hand without a time.
       * @example 2025-07-20T14:36:51.123Z
       */
      sent_at: string | null;
      /**
       * @description The provider's id.
       * @example 67f2f8a8-ea58-4ed0-a6f9
       */
      message_id: string | null;
      /** @enum {string} */
      state: 'waiting' | 'sending' | 'sent' | 'failed' | 'uncertain' | 'cancelled';
      /**
       * Format: date-time
       * @example 2025-07-20T14:36:51.123Z
       */
      created_at: string | null;
      /** @description Attempts that count towards `max_attempts`. */
      charged_attempts: number;
      /** @description Attempts that do not count: their answer may be the fault of the way. The first 10 are in `attempts`. */
      uncharged_attempts: number;
      /** @description The error of the first attempt of which nobody knows the outcome; null: there is none. A message with a doubt is never parked as failed. `POST /messages/:id/resolve` ends it. */
      doubt: string | null;
      /**
       * Format: date-time
       * @description After a failed attempt: not sent before.
       * @example 2025-07-20T14:36:51.123Z
       */
      next_attempt_at: string | null;
      /** @description Why it was taken out of the queue, or what keeps PostgreSQL from changing its row. */
      parked_reason: string | null;
      /**
       * Format: date-time
       * @example 2025-07-20T14:36:51.123Z
       */
      parked_at: string | null;
      /** @description The newest 100 HTTP attempts, oldest of them first. Of those that were not charged the first 10 are kept. */
      attempts: components['schemas']['DeliveryAttempt'][];
      /** @description There are older ones: `GET /messages/{id}/attempts?before=` this number. null: there are none. */
      attempts_next: number | null;
    };
    NewMessage: {
      /**
       * @description A phone number of 3 to 15 digits, international form recommended.
       * @example +905551111111
       */
      recipient_phone: string;
      /**
       * @description Up to 160 characters, counted as Unicode code points.
       * @example Your order is on its way
       */
      content: string;
    };
    OperatorAction: {
      /** @example 57 */
      id: number;
      /**
       * Format: date-time
       * @example 2025-07-20T14:36:51.123Z
       */
      at: string;
      /**
       * @description The name of the key; where none is needed, what `by` said, or the address.
       * @example ops
       */
      actor: string;
      /**
       * @description What `by` said beside a key.
       * @example ali
       */
      on_behalf_of: string | null;
      /**
       * @description `start`, `stop`, `retry`, `cancel`, `resolve-delivered`, `resolve-undelivered`, `replay`, `config-set`, `config-unset`; more may come.
       * @example replay
       */
      action: string;
      /** @example the gateway was down */
      reason: string | null;
      /** @example null */
      message_id: number | null;
      /**
       * @description What else belongs to the action: a filter and a count, a setting as it was written.
       * @example {
       *       "state": "failed",
       *       "count": 120
       *     }
       */
      detail: {
        [key: string]: unknown;
      } | null;
    };
    /**
     * @example {
     *       "value": 50
     *     }
     */
    PutSetting: {
      /**
       * @description As in etcd and YAML: text, or what JSON has for it.
       * @example 50
       */
      value: string | number | boolean | number[] | string[];
      /**
       * @description Write only if the key still has this version in etcd; `0`: only if it is not there.
       * @example 17
       */
      version?: string;
    };
    /**
     * @example {
     *       "state": "failed",
     *       "dry_run": true
     *     }
     */
    Replay: {
      /**
       * @description Which parked messages.
       * @enum {string}
       */
      state: 'failed' | 'uncertain' | 'cancelled';
      /**
       * Format: date-time
       * @description Parked at this time or later.
       * @example 2025-07-20T00:00:00Z
       */
      parked_from?: string;
      /**
       * Format: date-time
       * @description Parked before this time.
       * @example 2025-07-21T00:00:00Z
       */
      parked_before?: string;
      /**
       * @description Only those whose reason contains this text.
       * @example HTTP 422
       */
      reason_contains?: string;
      /**
       * @description Only those with a greater id: `next_after` of the call before.
       * @example 5000
       */
      after?: number;
      /**
       * @description Only count.
       * @default false
       */
      dry_run: boolean;
      /**
       * @description Who acts, or for whom a key acts; the address when both are left out.
       * @example ali
       */
      by?: string;
      /**
       * @description Why, for whoever looks later.
       * @example the provider confirmed it by phone
       */
      reason?: string;
    };
    /**
     * @example {
     *       "count": 12,
     *       "dry_run": true,
     *       "complete": true,
     *       "refused": 0,
     *       "refused_ids": [],
     *       "locked": 0,
     *       "next_after": null
     *     }
     */
    ReplayResult: {
      /** @description How many messages match, and with `dry_run: false` wait to be sent again. */
      count: number;
      dry_run: boolean;
      /** @description false: there may be more than this call had time for; repeat it. */
      complete: boolean;
      /** @description How many more match and stay parked, because the database refuses to change them (a trigger, a constraint). */
      refused: number;
      /** @description The first 100 of those. */
      refused_ids: number[];
      /** @description How many more match and stay parked, because another transaction holds them: repeat the call for them. */
      locked: number;
      /** @description Unless complete: goes on behind what this call looked at when given as `after`; null: nothing was looked at. */
      next_after: number | null;
    };
    /**
     * @example {
     *       "delivered": false,
     *       "by": "ali",
     *       "reason": "the provider has no trace of it"
     *     }
     */
    Resolution: {
      /** @description true: it was delivered, so it is sent. false: it was not, so it is sent again. */
      delivered: boolean;
      /**
       * @description Who acts, or for whom a key acts; the address when both are left out.
       * @example ali
       */
      by?: string;
      /**
       * @description Why, for whoever looks later.
       * @example the provider confirmed it by phone
       */
      reason?: string;
    };
    /**
     * @example {
     *       "limits": {
     *         "erase_after_days": 30,
     *         "retain_sent_days": 365,
     *         "retain_parked_days": 0,
     *         "retain_attempts_days": 0,
     *         "retain_actions_days": 0
     *       },
     *       "notes": [],
     *       "trouble": null,
     *       "working": null,
     *       "swept_at": "2026-01-20T14:36:51.123Z",
     *       "walks": [
     *         {
     *           "name": "delete-sent",
     *           "days": 365,
     *           "rows": 120000,
     *           "refused": 0,
     *           "reason": null,
     *           "ended_at": "2026-01-20T14:36:51.123Z"
     *         }
     *       ]
     *     }
     */
    Retention: {
      /** @description By which the replica that answers works; 0: never. */
      limits: {
        /** @example 0 */
        erase_after_days: number;
        /** @example 0 */
        retain_sent_days: number;
        /** @example 0 */
        retain_parked_days: number;
        /** @example 0 */
        retain_attempts_days: number;
        /** @example 0 */
        retain_actions_days: number;
      };
      /** @description Why it does not work by a limit that is set or unknown. */
      notes: string[];
      /** @description What kept the replica that answers from something when it last went through the tables. */
      trouble: string | null;
      /** @description The replica that goes through the tables now. */
      working: string | null;
      /**
       * Format: date-time
       * @description When one last went through all of them.
       * @example 2026-01-20T14:36:51.123Z
       */
      swept_at: string | null;
      /** @description By name; those that had something to look at. */
      walks: {
        /**
         * @description What is done to which rows.
         * @example delete-sent
         */
        name: string;
        /** @description With which limit it last went. */
        days: number;
        /** @description Rows that were deleted or erased, ever. */
        rows: number;
        /** @description Rows that PostgreSQL keeps, since it last began with the oldest; they are tried again after a day. */
        refused: number;
        /** @description Why one of those is kept. */
        reason: string | null;
        /**
         * Format: date-time
         * @description When it last came to what is too young to go.
         * @example 2026-01-20T14:36:51.123Z
         */
        ended_at: string | null;
      }[];
    };
    RowFault: {
      /**
       * @description Counted from 1; the line that the row begins on.
       * @example 7
       */
      line: number;
      /**
       * @description Empty when the row as a whole was refused.
       * @example content
       */
      field: string;
      /** @example must be at most 160 characters, got 161 */
      reason: string;
    };
    /**
     * @example {
     *       "state": "running",
     *       "next_slot_at": "2025-07-20T14:38:51.000Z",
     *       "last_slot_at": "2025-07-20T14:36:51.000Z",
     *       "interval_seconds": 120,
     *       "rate_limit": 2,
     *       "queue_capacity": 100,
     *       "workers": 1,
     *       "waiting": 0,
     *       "overflow_total": 0,
     *       "changed_at": "2025-07-20T14:00:00.000Z",
     *       "changed_by": "ali",
     *       "changed_why": "the gateway has moved",
     *       "nothing_sent_because": null,
     *       "this_replica": {
     *         "in_flight": 0,
     *         "concurrency": 2,
     *         "concurrency_limit": 64,
     *         "trouble": null,
     *         "tries_again_at": null,
     *         "turns_fail_since": null,
     *         "jobs_fail_since": null,
     *         "slot_overdue_since": null,
     *         "deaf_since": null
     *       },
     *       "settings_notes": [],
     *       "running_jobs": [],
     *       "recent_jobs": [
     *         {
     *           "id": 42,
     *           "state": "done",
     *           "due_at": "2025-07-20T14:36:51.000Z",
     *           "started_at": "2025-07-20T14:36:51.004Z",
     *           "finished_at": "2025-07-20T14:36:51.123Z",
     *           "tail_since": null,
     *           "owner": "dispatcher-0/7/5c2f1a9e",
     *           "budget": 2,
     *           "sent": 2,
     *           "not_sent": 0,
     *           "note": null
     *         }
     *       ]
     *     }
     */
    Scheduler: {
      /** @enum {string} */
      state: 'running' | 'stopped';
      /**
       * Format: date-time
       * @description null while stopped.
       * @example 2025-07-20T14:36:51.123Z
       */
      next_slot_at: string | null;
      /**
       * Format: date-time
       * @example 2025-07-20T14:36:51.123Z
       */
      last_slot_at: string | null;
      interval_seconds: number;
      rate_limit: number;
      queue_capacity: number;
      workers: number;
      /** @description Jobs that came due and have not begun. */
      waiting: number;
      /** @description Slots that found the queue full, ever. */
      overflow_total: number;
      /**
       * Format: date-time
       * @description When sending was last started or stopped.
       * @example 2025-07-20T14:36:51.123Z
       */
      changed_at: string;
      changed_by: string | null;
      changed_why: string | null;
      /** @description Why messages wait and none is sent; null when some are, or none waits. */
      nothing_sent_because: string | null;
      /** @description The replica that answers. */
      this_replica: {
        /** @description Requests without an answer yet. */
        in_flight: number;
        /** @description How many may be in flight now: it grows with success. */
        concurrency: number;
        concurrency_limit: number;
        /** @description What ended its latest job early, or why none of its latest messages got through; null when nothing is wrong. */
        trouble: string | null;
        /**
         * Format: date-time
         * @description When it takes a job again, which it leaves to other replicas until then because of that trouble; a change of `webhook_url`, `webhook_auth_key` or `webhook_signing_secrets` and `POST /start` end that. null when it leaves none.
         * @example 2025-07-20T14:36:51.123Z
         */
        tries_again_at: string | null;
        /**
         * Format: date-time
         * @description It cannot read or write the schedule.
         * @example 2025-07-20T14:36:51.123Z
         */
        turns_fail_since: string | null;
        /**
         * Format: date-time
         * @description Each of its jobs ends with an error, see the log.
         * @example 2025-07-20T14:36:51.123Z
         */
        jobs_fail_since: string | null;
        /**
         * Format: date-time
         * @description The time of a slot that it has not seen taken.
         * @example 2025-07-20T14:36:51.123Z
         */
        slot_overdue_since: string | null;
        /**
         * Format: date-time
         * @description It does not hear of other replicas, and looks at the schedule every 5 s instead.
         * @example 2025-07-20T14:36:51.123Z
         */
        deaf_since: string | null;
      } | null;
      /** @description Why the replica that answers sends nothing, which settings it cannot tell, and where its own differ from what the fleet works with. */
      settings_notes: string[];
      running_jobs: components['schemas']['Job'][];
      /** @description The newest 20 that ended, newest first. */
      recent_jobs: components['schemas']['Job'][];
    };
    /**
     * @example {
     *       "id": 1,
     *       "recipient_phone": "+905551111111",
     *       "content": "Your order is on its way",
     *       "sent_status": true,
     *       "sent_at": "2025-07-20T14:36:51.123Z",
     *       "message_id": "67f2f8a8-ea58-4ed0-a6f9-ff217df4d849"
     *     }
     */
    SentMessage: {
      /** @example 1 */
      id: number;
      /** @example +905551111111 */
      recipient_phone: string;
      /** @example Your order is on its way */
      content: string;
      /** @example true */
      sent_status: boolean;
      /**
       * Format: date-time
       * @description UTC; null for a row that was marked by hand without a time.
       * @example 2025-07-20T14:36:51.123Z
       */
      sent_at: string | null;
      /**
       * @description The provider's id.
       * @example 67f2f8a8-ea58-4ed0-a6f9
       */
      message_id: string | null;
    };
  };
  responses: never;
  parameters: never;
  requestBodies: never;
  headers: never;
  pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
  getConfig: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description All live settings. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['LiveConfig'];
        };
      };
      /** @description The request does not fit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The key is known and may not do this; or, where no keys are in force, a page of another site called. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time. */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The service is ending. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
  setConfig: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @description A live setting, as GET /config lists them. */
        key: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        'application/json': components['schemas']['PutSetting'];
      };
    };
    responses: {
      /** @description The setting as it is in force now. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['LiveSetting'];
        };
      };
      /** @description The request does not fit: the reply names each field and its limit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The key is known and may not do this; or, where no keys are in force, a page of another site called. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description There is no such thing. */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request does not fit the present state. */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is too large. */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is of another type. */
      415: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request is well-formed, and refused by a rule. */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time. */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description What the operation needs is out of reach, or clients hold more memory than the service gives them (`request.too_many_bodies`, `request.replies_untaken`); `Retry-After` says when to try again. Without `Retry-After` it may have been done all the same: look first. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
  deleteConfig: {
    parameters: {
      query?: {
        /** @description Write only if the key still has this version in etcd; `0`: only if it is not there. */
        version?: string;
      };
      header?: never;
      path: {
        /** @description A live setting, as GET /config lists them. */
        key: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description The setting as it is in force now. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['LiveSetting'];
        };
      };
      /** @description The request does not fit: the reply names each field and its limit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The key is known and may not do this; or, where no keys are in force, a page of another site called. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description There is no such thing. */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request does not fit the present state. */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is too large. */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is of another type. */
      415: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time. */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description What the operation needs is out of reach, or clients hold more memory than the service gives them (`request.too_many_bodies`, `request.replies_untaken`); `Retry-After` says when to try again. Without `Retry-After` it may have been done all the same: look first. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
  getHealth: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Always, while the process answers. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          /**
           * @example {
           *       "status": "healthy"
           *     }
           */
          'application/json': components['schemas']['Alive'];
        };
      };
      /** @description The request does not fit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The service is ending. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
  getLiveness: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description The loop turns. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          /**
           * @example {
           *       "status": "ok",
           *       "info": {
           *         "loop": {
           *           "status": "up"
           *         }
           *       },
           *       "error": {},
           *       "details": {
           *         "loop": {
           *           "status": "up"
           *         }
           *       }
           *     }
           */
          'application/json': components['schemas']['HealthReport'];
        };
      };
      /** @description The request does not fit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description It does not. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          /**
           * @example {
           *       "status": "error",
           *       "info": {},
           *       "error": {
           *         "loop": {
           *           "status": "down",
           *           "message": "The scheduler loop does not turn"
           *         }
           *       },
           *       "details": {
           *         "loop": {
           *           "status": "down",
           *           "message": "The scheduler loop does not turn"
           *         }
           *       }
           *     }
           */
          'application/json': components['schemas']['HealthReport'];
        };
      };
    };
  };
  getReadiness: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description It can. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          /**
           * @example {
           *       "status": "ok",
           *       "info": {
           *         "process": {
           *           "status": "up"
           *         },
           *         "postgres": {
           *           "status": "up"
           *         },
           *         "schema": {
           *           "status": "up"
           *         },
           *         "webhook": {
           *           "status": "up"
           *         },
           *         "scheduler": {
           *           "status": "up"
           *         },
           *         "redis": {
           *           "status": "up",
           *           "stale": true
           *         },
           *         "etcd": {
           *           "status": "up"
           *         },
           *         "retention": {
           *           "status": "up"
           *         },
           *         "log": {
           *           "status": "up"
           *         }
           *       },
           *       "error": {},
           *       "details": {
           *         "process": {
           *           "status": "up"
           *         },
           *         "postgres": {
           *           "status": "up"
           *         },
           *         "schema": {
           *           "status": "up"
           *         },
           *         "webhook": {
           *           "status": "up"
           *         },
           *         "scheduler": {
           *           "status": "up"
           *         },
           *         "redis": {
           *           "status": "up",
           *           "stale": true
           *         },
           *         "etcd": {
           *           "status": "up"
           *         },
           *         "retention": {
           *           "status": "up"
           *         },
           *         "log": {
           *           "status": "up"
           *         }
           *       }
           *     }
           */
          'application/json': components['schemas']['HealthReport'];
        };
      };
      /** @description The request does not fit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description It cannot; `error` says why. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          /**
           * @example {
           *       "status": "error",
           *       "info": {
           *         "process": {
           *           "status": "up"
           *         },
           *         "schema": {
           *           "status": "up"
           *         },
           *         "webhook": {
           *           "status": "up"
           *         },
           *         "scheduler": {
           *           "status": "up"
           *         },
           *         "redis": {
           *           "status": "up"
           *         },
           *         "etcd": {
           *           "status": "up"
           *         }
           *       },
           *       "error": {
           *         "postgres": {
           *           "status": "down",
           *           "message": "PostgreSQL did not answer within 1000 ms; check APP_DB_URL and the server"
           *         }
           *       },
           *       "details": {
           *         "process": {
           *           "status": "up"
           *         },
           *         "schema": {
           *           "status": "up"
           *         },
           *         "webhook": {
           *           "status": "up"
           *         },
           *         "scheduler": {
           *           "status": "up"
           *         },
           *         "redis": {
           *           "status": "up"
           *         },
           *         "etcd": {
           *           "status": "up"
           *         },
           *         "postgres": {
           *           "status": "down",
           *           "message": "PostgreSQL did not answer within 1000 ms; check APP_DB_URL and the server"
           *         }
           *       }
           *     }
           */
          'application/json': components['schemas']['HealthReport'];
        };
      };
    };
  };
  listMessages: {
    parameters: {
      query?: {
        /** @description Only messages in this state. */
        state?: 'waiting' | 'sending' | 'sent' | 'failed' | 'uncertain' | 'cancelled';
        /** @description How many at most; 1000 when left out. */
        limit?: number;
        /** @description Only messages with a greater id: from the `Link` header. */
        after?: number;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description A bare array. */
      200: {
        headers: {
          /** @description The next page, `rel="next"`, when there is one. */
          Link?: string;
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Message'][];
        };
      };
      /** @description The request does not fit: the reply names each field and its limit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The key is known and may not do this; or, where no keys are in force, a page of another site called. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time. */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description What the operation needs is out of reach, or clients hold more memory than the service gives them (`request.too_many_bodies`, `request.replies_untaken`); `Retry-After` says when to try again. Without `Retry-After` it may have been done all the same: look first. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
  createMessages: {
    parameters: {
      query?: never;
      header?: {
        /** @description 1 to 255 printable characters, unique to this request. The same key and body again stores nothing and gets the first answer, with `Idempotent-Replayed: true`. Keys are kept for a day at least; refused requests keep none. Without a key, a reply that is lost and a 503 without `Retry-After` leave open whether the request was stored. */
        'Idempotency-Key'?: string;
      };
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        'application/json': components['schemas']['NewMessage'] | components['schemas']['NewMessage'][];
      };
    };
    responses: {
      /** @description Stored; it goes out in its turn. */
      201: {
        headers: {
          /** @description `true` when this is the first answer to an `Idempotency-Key`, given again. */
          'Idempotent-Replayed'?: string;
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Message'] | components['schemas']['BatchResult'];
        };
      };
      /** @description The request does not fit: the reply names each field and its limit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The key is known and may not do this; or, where no keys are in force, a page of another site called. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request does not fit the present state. */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is too large. */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is of another type. */
      415: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request is well-formed, and refused by a rule. */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time. */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description What the operation needs is out of reach, or clients hold more memory than the service gives them (`request.too_many_bodies`, `request.replies_untaken`); `Retry-After` says when to try again. Without `Retry-After` it may have been done all the same: look first. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
  importFile: {
    parameters: {
      query?: {
        /** @description `all-or-nothing`: one bad row and nothing is stored. `per-row`: the good rows are stored, without those that the database refuses (1,000 at most). */
        mode?: 'all-or-nothing' | 'per-row';
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        /**
         * @example {"recipient_phone":"+905551111111","content":"Your order is on its way"}
         *     {"recipient_phone":"+905552222222","content":"Your order has arrived"}
         */
        'application/x-ndjson': string;
        /**
         * @example recipient_phone,content
         *     +905551111111,Your order is on its way
         *     +905552222222,"It has arrived, enjoy"
         */
        'text/csv': string;
      };
    };
    responses: {
      /** @description Stored. With `per-row`, `refused` tells how many rows were not. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ImportReport'];
        };
      };
      /** @description The request does not fit: the reply names each field and its limit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The key is known and may not do this; or, where no keys are in force, a page of another site called. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body stalled. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is too large. */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is of another type. */
      415: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request is well-formed, and refused by a rule. */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time. */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description What the operation needs is out of reach, or clients hold more memory than the service gives them (`request.too_many_bodies`, `request.replies_untaken`); `Retry-After` says when to try again. Without `Retry-After` it may have been done all the same: look first. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
  replayMessages: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        'application/json': components['schemas']['Replay'];
      };
    };
    responses: {
      /** @description How many. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ReplayResult'];
        };
      };
      /** @description The request does not fit: the reply names each field and its limit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The key is known and may not do this; or, where no keys are in force, a page of another site called. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is too large. */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is of another type. */
      415: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time. */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description What the operation needs is out of reach, or clients hold more memory than the service gives them (`request.too_many_bodies`, `request.replies_untaken`); `Retry-After` says when to try again. Without `Retry-After` it may have been done all the same: look first. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
  getMessage: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @description The id of a message. */
        id: number;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description The message. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['MessageWithAttempts'];
        };
      };
      /** @description The request does not fit: the reply names each field and its limit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The key is known and may not do this; or, where no keys are in force, a page of another site called. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description There is no such thing. */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time. */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description What the operation needs is out of reach, or clients hold more memory than the service gives them (`request.too_many_bodies`, `request.replies_untaken`); `Retry-After` says when to try again. Without `Retry-After` it may have been done all the same: look first. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
  listAttempts: {
    parameters: {
      query?: {
        /** @description How many at most; 100 when left out. */
        limit?: number;
        /** @description Only older ones: `attempts_next`, or from the `Link` header. */
        before?: number;
      };
      header?: never;
      path: {
        /** @description The id of a message. */
        id: number;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description A bare array. */
      200: {
        headers: {
          /** @description The next page, `rel="next"`, when there is one. */
          Link?: string;
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['DeliveryAttempt'][];
        };
      };
      /** @description The request does not fit: the reply names each field and its limit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The key is known and may not do this; or, where no keys are in force, a page of another site called. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time. */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description What the operation needs is out of reach, or clients hold more memory than the service gives them (`request.too_many_bodies`, `request.replies_untaken`); `Retry-After` says when to try again. Without `Retry-After` it may have been done all the same: look first. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
  cancelMessage: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @description The id of a message. */
        id: number;
      };
      cookie?: never;
    };
    requestBody?: {
      content: {
        'application/json': components['schemas']['Act'];
      };
    };
    responses: {
      /** @description The message as it is now. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          /**
           * @example {
           *       "id": 1,
           *       "recipient_phone": "+905551111111",
           *       "content": "Your order is on its way",
           *       "sent_status": false,
           *       "sent_at": null,
           *       "message_id": null,
           *       "state": "cancelled",
           *       "created_at": "2025-07-20T14:36:20.001Z",
           *       "charged_attempts": 0,
           *       "uncharged_attempts": 0,
           *       "doubt": null,
           *       "next_attempt_at": null,
           *       "parked_reason": "ordered twice",
           *       "parked_at": "2025-07-20T14:36:30.250Z"
           *     }
           */
          'application/json': components['schemas']['Message'];
        };
      };
      /** @description The request does not fit: the reply names each field and its limit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The key is known and may not do this; or, where no keys are in force, a page of another site called. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description There is no such thing. */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request does not fit the present state. */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is too large. */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is of another type. */
      415: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request is well-formed, and refused by a rule. */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time. */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description What the operation needs is out of reach, or clients hold more memory than the service gives them (`request.too_many_bodies`, `request.replies_untaken`); `Retry-After` says when to try again. Without `Retry-After` it may have been done all the same: look first. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
  resolveMessage: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @description The id of a message. */
        id: number;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        'application/json': components['schemas']['Resolution'];
      };
    };
    responses: {
      /** @description The message as it is now. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Message'];
        };
      };
      /** @description The request does not fit: the reply names each field and its limit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The key is known and may not do this; or, where no keys are in force, a page of another site called. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description There is no such thing. */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request does not fit the present state. */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is too large. */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is of another type. */
      415: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request is well-formed, and refused by a rule. */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time. */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description What the operation needs is out of reach, or clients hold more memory than the service gives them (`request.too_many_bodies`, `request.replies_untaken`); `Retry-After` says when to try again. Without `Retry-After` it may have been done all the same: look first. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
  retryMessage: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        /** @description The id of a message. */
        id: number;
      };
      cookie?: never;
    };
    requestBody?: {
      content: {
        'application/json': components['schemas']['Act'];
      };
    };
    responses: {
      /** @description The message as it is now. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Message'];
        };
      };
      /** @description The request does not fit: the reply names each field and its limit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The key is known and may not do this; or, where no keys are in force, a page of another site called. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description There is no such thing. */
      404: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request does not fit the present state. */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is too large. */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is of another type. */
      415: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request is well-formed, and refused by a rule. */
      422: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time. */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description What the operation needs is out of reach, or clients hold more memory than the service gives them (`request.too_many_bodies`, `request.replies_untaken`); `Retry-After` says when to try again. Without `Retry-After` it may have been done all the same: look first. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
  listOperatorActions: {
    parameters: {
      query?: {
        /** @description How many at most; 100 when left out. */
        limit?: number;
        /** @description Only those with a smaller id; the `Link` of a page says which. */
        before?: number;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description A bare array. */
      200: {
        headers: {
          /** @description The next page, `rel="next"`, when there is one. */
          Link?: string;
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['OperatorAction'][];
        };
      };
      /** @description The request does not fit: the reply names each field and its limit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The key is known and may not do this; or, where no keys are in force, a page of another site called. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time. */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description What the operation needs is out of reach, or clients hold more memory than the service gives them (`request.too_many_bodies`, `request.replies_untaken`); `Retry-After` says when to try again. Without `Retry-After` it may have been done all the same: look first. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
  getRetention: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description Of the fleet, as the database holds it. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Retention'];
        };
      };
      /** @description The request does not fit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The key is known and may not do this; or, where no keys are in force, a page of another site called. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time. */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description What the operation needs is out of reach, or clients hold more memory than the service gives them (`request.too_many_bodies`, `request.replies_untaken`); `Retry-After` says when to try again. Without `Retry-After` it may have been done all the same: look first. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
  getScheduler: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description The state of the fleet, as the database holds it. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['Scheduler'];
        };
      };
      /** @description The request does not fit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The key is known and may not do this; or, where no keys are in force, a page of another site called. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time. */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description What the operation needs is out of reach, or clients hold more memory than the service gives them (`request.too_many_bodies`, `request.replies_untaken`); `Retry-After` says when to try again. Without `Retry-After` it may have been done all the same: look first. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
  listSent: {
    parameters: {
      query?: {
        /** @description How many at most; 1000 when left out. */
        limit?: number;
        /** @description Where to go on: from the `Link` header of the page before. */
        cursor?: string;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description A bare array; `[]` when nothing was sent. */
      200: {
        headers: {
          /** @description The next page, `rel="next"`, when there is one. */
          Link?: string;
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['SentMessage'][];
        };
      };
      /** @description The request does not fit: the reply names each field and its limit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The key is known and may not do this; or, where no keys are in force, a page of another site called. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time. */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description What the operation needs is out of reach, or clients hold more memory than the service gives them (`request.too_many_bodies`, `request.replies_untaken`); `Retry-After` says when to try again. Without `Retry-After` it may have been done all the same: look first. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
  start: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: {
      content: {
        'application/json': components['schemas']['ChangeRequest'];
      };
    };
    responses: {
      /** @description Sending runs. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          /** @example Started */
          'application/json': 'Started';
        };
      };
      /** @description The request does not fit: the reply names each field and its limit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The key is known and may not do this; or, where no keys are in force, a page of another site called. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is too large. */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is of another type. */
      415: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time. */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description What the operation needs is out of reach, or clients hold more memory than the service gives them (`request.too_many_bodies`, `request.replies_untaken`); `Retry-After` says when to try again. Without `Retry-After` it may have been done all the same: look first. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
  stop: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: {
      content: {
        'application/json': components['schemas']['ChangeRequest'];
      };
    };
    responses: {
      /** @description Sending is stopped. */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          /** @example Stopped */
          'application/json': 'Stopped';
        };
      };
      /** @description The request does not fit: the reply names each field and its limit. */
      400: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`. */
      401: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The key is known and may not do this; or, where no keys are in force, a page of another site called. */
      403: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request took too long to arrive. */
      408: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The request does not fit the present state. */
      409: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is too large. */
      413: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The body is of another type. */
      415: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time. */
      429: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description The headers are too large. */
      431: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description A defect of the service: never expected, and the log has the rest. */
      500: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
      /** @description What the operation needs is out of reach, or clients hold more memory than the service gives them (`request.too_many_bodies`, `request.replies_untaken`); `Retry-After` says when to try again. Without `Retry-After` it may have been done all the same: look first. */
      503: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          'application/json': components['schemas']['ErrorReply'];
        };
      };
    };
  };
}
