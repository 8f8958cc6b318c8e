import { join } from 'node:path';
import { didYouMean } from './did-you-mean.js';
import { LIVE_KEY_NAMES } from './live-keys.js';
import { readYamlFile, type YamlValue } from './read-yaml-file.js';
import { PLACE_VARIABLES, STATIC_KEYS, yamlKeyOf, type StaticKey } from './static-keys.js';

/** What was found wrong, a line each, and what is merely worth knowing. */
export interface Findings {
  readonly faults: string[];
  readonly warnings: string[];
}

/** A setting's text and the place that it came from, as the operator would name it. */
export interface PlacedText {
  readonly text: string;
  readonly from: string;
}

const KEYS: readonly StaticKey<unknown>[] = Object.values(STATIC_KEYS);
const KEYS_BY_YAML_NAME = new Map(KEYS.map((key) => [yamlKeyOf(key), key]));

/** The text of every setting that has one: the environment over `app.<env>.yaml` over `app.defaults.yaml`. */
export class StaticText {
  private readonly layers: readonly ReadonlyMap<string, PlacedText>[];

  constructor(environment: NodeJS.ProcessEnv, configDir: string, env: string, findings: Findings) {
    const defaults = fileLayer(join(configDir, 'app.defaults.yaml'), findings);
    if (defaults === null) {
      findings.faults.push(
        `${join(configDir, 'app.defaults.yaml')}: no such file; start from the folder that holds config/, or set APP_CONFIG_DIR to it`,
      );
    }
    const overlayPath = join(configDir, `app.${env}.yaml`);
    const overlay = fileLayer(overlayPath, findings);
    if (overlay === null)
      findings.warnings.push(`${overlayPath}: no such file; the defaults and the environment count`);
    this.layers = [environmentLayer(environment, findings), overlay ?? new Map(), defaults ?? new Map()];
  }

  get(key: StaticKey<unknown>): PlacedText | undefined {
    for (const layer of this.layers) {
      const found = layer.get(key.variable);
      if (found !== undefined && (found.text !== '' || key.optional)) return found;
    }
    return undefined;
  }
}

function environmentLayer(environment: NodeJS.ProcessEnv, { warnings }: Findings): ReadonlyMap<string, PlacedText> {
  const known: readonly string[] = [...PLACE_VARIABLES, ...KEYS.map((key) => key.variable)];
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('APP_') || known.includes(name)) continue;
    const live = liveKeyOf(name);
    warnings.push(
      live === null
        ? `${name} is not a setting of this service and changes nothing${didYouMean(name, known)}`
        : `${name} changes nothing: ${live}`,
    );
  }
  const layer = new Map<string, PlacedText>();
  for (const { variable } of KEYS) {
    const text = environment[variable]?.trim();
    if (text !== undefined) layer.set(variable, { text, from: variable });
  }
  return layer;
}

function fileLayer(path: string, { faults }: Findings): ReadonlyMap<string, PlacedText> | null {
  let values: ReadonlyMap<string, YamlValue> | null;
  try {
    values = readYamlFile(path);
  } catch (error) {
    faults.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    return new Map();
  }
  if (values === null) return null;
  const layer = new Map<string, PlacedText>();
  for (const [name, value] of values) {
    const key = KEYS_BY_YAML_NAME.get(name);
    const from = `${path}: ${name.slice(0, 64)}`;
    if (key === undefined) {
      const live = liveKeyOf(name);
      const hint = live === null ? didYouMean(name, [...KEYS_BY_YAML_NAME.keys()]) : ` of this file: ${live}`;
      faults.push(`${from} is not a setting${hint}`);
    } else if (key.secret && value !== '') faults.push(`${from} is a secret and is taken from ${key.variable} alone`);
    else if (typeof value === 'string') layer.set(key.variable, { text: value.trim(), from });
    else if (Array.isArray(value) && value.every((item) => typeof item === 'string')) {
      layer.set(key.variable, { text: value.join(','), from });
    } else faults.push(`${from} must be text or a list of texts`);
  }
  return layer;
}

/** Where a live setting belongs, when that is what the name of a variable or a key is. */
function liveKeyOf(name: string): string | null {
  const key = name.replace(/^APP_/, '').toLowerCase();
  if (!LIVE_KEY_NAMES.includes(key)) return null;
  return `${key} is a live setting, taken from config/dynamic_config.yaml, from etcd or by PUT /config/${key}`;
}
