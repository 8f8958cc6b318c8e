import { Injectable } from '@nestjs/common';
import { LiveValueMisfit, LiveValueRefused, NoEtcd, UnknownLiveKey } from './config-errors.js';
import { ConfigSources } from './config-sources.js';
import type { EtcdConfigSource } from './etcd-config.source.js';
import { LiveConfig } from './live-config.js';
import { liveKeyNamed, type JsonValue, type LiveKey, type ShownValue } from './live-keys.js';
import type { LiveKeyReport } from './live-report.js';
import { SANDBOX } from './live-settings.js';
import { StaticSettings } from './static-settings.js';
import { WebhookTargets } from './webhook-targets.js';

/** What a call made of a key in etcd, whatever others make of it: its value as `GET /config` shows it, or that it is gone. */
export type WrittenSetting =
  { readonly key: string; readonly value: ShownValue; readonly source: 'etcd' } | { readonly key: string };

/** Writes live settings to etcd, under the rules by which they are read. */
@Injectable()
export class LiveSettingsWriter {
  constructor(
    private readonly sources: ConfigSources,
    private readonly live: LiveConfig,
    private readonly targets: WebhookTargets,
    private readonly settings: StaticSettings,
  ) {}

  /**
   * Sets a key for every replica. With `version`, only if the key still has that version in etcd (`0`: is not there).
   * @throws UnknownLiveKey, NoEtcd, LiveValueMisfit, LiveValueRefused, ConfigChangedMeanwhile, ConfigUnavailable
   */
  async set(name: string, wanted: JsonValue, version?: string): Promise<WrittenSetting> {
    const { key, etcd } = this.target(name);
    const misfit = key.misfit(wanted);
    if (misfit !== null) throw new LiveValueMisfit(misfit);
    const value = typeof wanted === 'string' ? wanted : JSON.stringify(wanted);
    const parsed = key.parse(value);
    if (!parsed.ok) throw new LiveValueRefused(parsed.reason);
    if (key.field === 'webhookUrl') this.assertTarget(String(parsed.value));
    await etcd.write(name, value, version);
    return { key: name, value: key.show(parsed.value), source: 'etcd' };
  }

  /** Deletes a key, so that the file or the default counts again; a key that is not there is no fault. */
  async unset(name: string, version?: string): Promise<WrittenSetting> {
    const { etcd } = this.target(name);
    await etcd.write(name, null, version);
    return { key: name };
  }

  /**
   * What is in force here once all that was written before is, by whomever.
   * @throws ConfigUnavailable when that cannot be read back.
   */
  async inForce(name: string): Promise<LiveKeyReport> {
    const { key, etcd } = this.target(name);
    await etcd.catchUp();
    return this.live.describeKey(key);
  }

  /** What connecting would refuse for sure is refused here already, while somebody is looking. */
  private assertTarget(url: string): void {
    if (url === SANDBOX) {
      if (this.settings.env === 'local') return;
      throw new LiveValueRefused('webhook_url cannot be set: only APP_ENV=local has the sandbox');
    }
    const refusal = this.targets.refusalOf(url);
    if (refusal !== null) throw new LiveValueRefused(`webhook_url cannot be set: ${refusal}`);
  }

  private target(name: string): { key: LiveKey; etcd: EtcdConfigSource } {
    const key = liveKeyNamed(name);
    if (key === undefined) throw new UnknownLiveKey(name);
    if (this.sources.etcd === null) throw new NoEtcd();
    return { key, etcd: this.sources.etcd };
  }
}
