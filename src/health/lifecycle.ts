import { Injectable, type OnModuleDestroy } from '@nestjs/common';

/** Whether the process is on its way out: from the signal on it is not ready, while it still finishes what is under way. */
@Injectable()
export class Lifecycle implements OnModuleDestroy {
  private ending = false;

  get shuttingDown(): boolean {
    return this.ending;
  }

  beginShutdown(): void {
    this.ending = true;
  }

  onModuleDestroy(): void {
    this.beginShutdown();
  }
}
