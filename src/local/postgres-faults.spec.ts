import { StartupError } from '../startup-error.js';
import { asStartupError } from './postgres-faults.js';

describe('asStartupError', () => {
  it.each([
    ['initdb: could not write to file: No space left on device', 'no disk space'],
    ["ENOSPC: no space left on device, open '/x/port'", 'no disk space'],
    ["EACCES: permission denied, mkdir '/x'", 'cannot be written'],
    ["EROFS: read-only file system, mkdir '/x'", 'cannot be written'],
    ['database files are incompatible with server The data directory was initialized by 17', 'another major version'],
    ['initdb: could not look up effective user ID 12346: user does not exist', '/etc/passwd'],
    ["ENOTDIR: not a directory, mkdir '/x/y'", 'a file is in the way'],
    ['password authentication failed for user "postgres"', 'restore it'],
    ['it ended with 1', 'server.log'],
  ])('names the folder, the remedy and the reason for: %s', (reason, remedy) => {
    const fault = asStartupError(new Error(reason), '/srv/.data/postgres');
    expect(fault).toBeInstanceOf(StartupError);
    expect(fault.message).toContain('/srv/.data/postgres');
    expect(fault.message).toContain(remedy);
    expect(fault.message).toContain(reason);
  });

  it('passes on a fault that is clear already', () => {
    const fault = new StartupError('clear');
    expect(asStartupError(fault, '/x')).toBe(fault);
  });
});
