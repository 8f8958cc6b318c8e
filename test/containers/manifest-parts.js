/**
 * @typedef {object} Probe
 * @property {{ path: string }} httpGet
 * @property {number} periodSeconds
 * @property {number} failureThreshold
 */

/**
 * @typedef {object} Container
 * @property {string} image
 * @property {string[]} [command]
 * @property {unknown} [env]
 * @property {{ configMapRef?: { name: string }, secretRef?: { name: string } }[]} envFrom
 * @property {Probe} [startupProbe]
 * @property {Probe} [livenessProbe]
 * @property {Probe} [readinessProbe]
 * @property {{ preStop: { sleep: { seconds: number } } }} [lifecycle]
 * @property {{ requests: Record<string, string>, limits: Record<string, string> }} resources
 * @property {{ allowPrivilegeEscalation: boolean, readOnlyRootFilesystem: boolean, capabilities: object }} securityContext
 */

/** @typedef {Record<string, string>} Labels */

/**
 * @typedef {object} PodTemplate
 * @property {{ labels: Labels }} metadata
 * @property {{
 *   serviceAccountName: string,
 *   automountServiceAccountToken: boolean,
 *   terminationGracePeriodSeconds?: number,
 *   securityContext: { runAsNonRoot: boolean, seccompProfile: object },
 *   topologySpreadConstraints?: { labelSelector: { matchLabels: Labels } }[],
 *   containers: Container[],
 * }} spec
 */

/**
 * @typedef {object} Manifest
 * @property {string} apiVersion
 * @property {string} kind
 * @property {{ name: string }} metadata
 * @property {{
 *   template?: PodTemplate,
 *   selector?: Labels & { matchLabels?: Labels },
 *   podSelector?: { matchLabels: Labels },
 * }} [spec]
 */

/**
 * @param {readonly Manifest[]} manifests
 * @param {string} kind
 */
export function select(manifests, kind) {
  return manifests.filter((manifest) => manifest.kind === kind);
}

/** @param {readonly Manifest[]} manifests */
export function podsOf(manifests) {
  return manifests.flatMap(({ spec }) => spec?.template ?? []);
}
