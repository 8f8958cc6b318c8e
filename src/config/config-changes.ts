import { Injectable, Logger } from '@nestjs/common';
import type { Actor } from '../caller.js';
import { OperatorActions } from '../operator-actions.js';
import type { WrittenSetting } from './live-settings-writer.js';

/** Notes who changed a live setting through the API. The change itself is in etcd, so it cannot be one transaction. */
@Injectable()
export class ConfigChanges {
  private readonly logger = new Logger(ConfigChanges.name);

  constructor(private readonly actions: OperatorActions) {}

  /**
   * The log has the change in any case; so the change stands, and its caller is told so, when PostgreSQL cannot note it:
   * settings must be changeable just then. The value is noted as `GET /config` shows it, a secret as `***`.
   */
  async note(actor: Actor, action: 'config-set' | 'config-unset', written: WrittenSetting): Promise<void> {
    const what = `${action} ${written.key} by ${actor.by}`;
    try {
      await this.actions.note(actor, action, written);
      this.logger.log(what);
    } catch (error) {
      this.logger.warn({ err: error }, `${what}, which operator_actions does not tell: PostgreSQL did not take it`);
    }
  }
}
