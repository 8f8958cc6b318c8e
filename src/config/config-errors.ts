import { DomainError } from '../domain-error.js';
import { withHiddenEscaped } from '../hidden-characters.js';
import { didYouMean } from './did-you-mean.js';
import { LIVE_KEY_NAMES } from './live-keys.js';

export class UnknownLiveKey extends DomainError {
  readonly code = 'config.unknown_key';
  readonly kind = 'not_found';
  constructor(name: string) {
    super(
      `${withHiddenEscaped(JSON.stringify(name.slice(0, 64)))} is not a live setting${didYouMean(name, LIVE_KEY_NAMES)}`,
    );
  }
}

/** A list or a number for a setting that is text: as text it would be another value than the author means. */
export class LiveValueMisfit extends DomainError {
  readonly code = 'config.invalid_type';
  readonly kind = 'malformed';
}

export class LiveValueRefused extends DomainError {
  readonly code = 'config.invalid_value';
  readonly kind = 'invalid';
}

export class NoEtcd extends DomainError {
  readonly code = 'config.no_etcd';
  readonly kind = 'conflict';
  constructor() {
    super(
      'There is no etcd to write to: change dynamic_config.yaml, or set APP_REMOTE_ETCD_ENDPOINTS and start the service again',
    );
  }
}

export class ConfigChangedMeanwhile extends DomainError {
  readonly code = 'config.changed_meanwhile';
  readonly kind = 'conflict';
  constructor(name: string) {
    super(`${name} was changed by somebody else in the meantime: read GET /config and try again with its version`);
  }
}

export class ConfigUnavailable extends DomainError {
  readonly code = 'config.etcd_unavailable';
  readonly kind = 'unavailable';
  constructor(since: Date, cause?: unknown) {
    super(
      cause === undefined
        ? `etcd has been out of reach since ${since.toISOString()}, nothing was changed: try again when GET /config shows it connected`
        : 'etcd did not confirm the change, which may or may not have been made: look at GET /config and try again',
    );
    this.cause = cause;
  }
}
