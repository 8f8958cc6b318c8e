import { Module, type DynamicModule } from '@nestjs/common';
import { DatabaseModule } from '../database.module.js';
import { ConfigChanges } from './config-changes.js';
import { ConfigSources } from './config-sources.js';
import { ConfigController } from './config.controller.js';
import { FileMemory } from './file-memory.js';
import { FleetAgreement } from './fleet-agreement.js';
import { LiveConfig } from './live-config.js';
import { LiveSettingsWriter } from './live-settings-writer.js';
import { StaticSettings } from './static-settings.js';
import { WebhookTargets } from './webhook-targets.js';

@Module({})
// oxlint-disable-next-line typescript/no-extraneous-class -- a Nest module is a class
export class ConfigModule {
  /** Provides `settings`, and the live settings, which were read once before anybody gets hold of them. */
  static register(settings: StaticSettings): DynamicModule {
    return {
      module: ConfigModule,
      // Its options are the process's own: a feature could not import it with the same ones.
      global: true,
      imports: [DatabaseModule],
      controllers: [ConfigController],
      providers: [
        { provide: StaticSettings, useValue: settings },
        ConfigSources,
        { provide: WebhookTargets, useValue: new WebhookTargets(settings) },
        { provide: LiveConfig, useFactory: startedLiveConfig, inject: [ConfigSources] },
        FileMemory,
        FleetAgreement,
        LiveSettingsWriter,
        ConfigChanges,
      ],
      exports: [StaticSettings, WebhookTargets, LiveConfig, FleetAgreement],
    };
  }
}

async function startedLiveConfig(sources: ConfigSources): Promise<LiveConfig> {
  const live = new LiveConfig(sources.all);
  await live.start();
  return live;
}
