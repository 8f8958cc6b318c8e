import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ROOT } from './built.js';

const FOLDER = fileURLToPath(new URL('../results/', import.meta.url));

/**
 * Writes files of results, formatted as the repository wants them where its formatter is installed.
 * @param {Readonly<Record<string, string>>} files by name
 */
export async function writeResults(files) {
  await mkdir(FOLDER, { recursive: true });
  const paths = Object.keys(files).map((name) => join(FOLDER, name));
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(FOLDER, name), text)));
  const formatted = paths.filter((path) => /\.(json|md)$/.test(path));
  const prettier = join(ROOT, 'node_modules/prettier/bin/prettier.cjs');
  await promisify(execFile)(process.execPath, [prettier, '--write', ...formatted], { cwd: ROOT }).catch(
    () => undefined,
  );
}

/** `2026-01-20T143651`, in UTC: it sorts, and every file system takes it. */
export function stamp(at = new Date()) {
  return at.toISOString().slice(0, 19).replaceAll(':', '');
}

/**
 * A Markdown table.
 * @param {readonly string[]} head
 * @param {readonly (readonly string[])[]} rows
 */
export function table(head, rows) {
  const widths = head.map((cell, column) => Math.max(3, cell.length, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (/** @type {readonly string[]} */ cells) =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
