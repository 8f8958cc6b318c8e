import { execFile } from 'node:child_process';
import { cpus, loadavg, platform, release, totalmem } from 'node:os';
import { promisify } from 'node:util';

/**
 * What the figures were measured on. The load before the run tells whether the machine was quiet.
 * @param {Readonly<Record<string, string>>} versions of the services that took part
 */
export function describeMachine(versions = {}) {
  const processors = cpus();
  return {
    processor: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
    node: process.version,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
    ...versions,
  };
}

/**
 * What a program prints of its version.
 * @param {string} program
 * @param {string[]} args
 */
export async function versionOf(program, args) {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args);
    return (stdout || stderr).trim().split('\n')[0] ?? '';
  } catch {
    return 'unknown';
  }
}
