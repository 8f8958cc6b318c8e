import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import type { ConfigSource } from './config-source.js';
import { EtcdConfigSource } from './etcd-config.source.js';
import { StaticSettings } from './static-settings.js';
import { YamlConfigSource } from './yaml-config.source.js';

/** The sources of this process: etcd, where endpoints are configured, before the YAML file. */
@Injectable()
export class ConfigSources {
  /** null when no etcd is configured. */
  readonly etcd: EtcdConfigSource | null;
  /** In the order in which they count. */
  readonly all: readonly ConfigSource[];

  constructor(settings: StaticSettings) {
    const file = new YamlConfigSource(join(settings.configDir, 'dynamic_config.yaml'));
    this.etcd = settings.etcdEndpoints.length === 0 ? null : new EtcdConfigSource(settings);
    this.all = this.etcd === null ? [file] : [this.etcd, file];
  }
}
