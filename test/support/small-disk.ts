import { execFileSync } from 'node:child_process';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A file system of its own in memory, small enough to be filled. Linux alone has it, and only for root. */
export class SmallDisk {
  private readonly filler: string;

  /** @throws when this account may not mount one, with what to do. */
  constructor(
    private readonly folder: string,
    bytes: number,
    owner: { readonly uid: number; readonly gid: number } | null,
  ) {
    const account = owner ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    const options = `size=${bytes},mode=0700,uid=${account.uid},gid=${account.gid}`;
    asRoot(['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
    this.filler = join(folder, 'filler');
    process.once('exit', this.unmount);
  }

  /** Leaves no byte free. */
  fill(): void {
    for (;;) {
      const { bavail, bsize } = statfsSync(this.folder);
      if (bavail === 0) return;
      try {
        writeFileSync(this.filler, Buffer.alloc(bavail * bsize), { flag: 'a' });
      } catch (error) {
        // Somebody else took of the space meanwhile; what is left is looked up again.
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
      }
    }
  }

  /** Takes away what `fill` brought. */
  free(): void {
    rmSync(this.filler, { force: true });
  }

  remove(): void {
    process.off('exit', this.unmount);
    this.unmount();
  }

  private readonly unmount = (): void => {
    asRoot(['umount', '-l', this.folder]);
  };
}

/** As root itself, or by a sudo that asks no password, as the runners of most CI services have. */
function asRoot(command: readonly string[]): void {
  const [program = '', ...args] = process.getuid?.() === 0 ? command : ['sudo', '-n', ...command];
  try {
    execFileSync(program, args, { stdio: 'pipe' });
  } catch (cause) {
    throw new Error(
      'a small disk for PostgreSQL could not be mounted: run this test on Linux as root, or where sudo asks no password',
      { cause },
    );
  }
}
