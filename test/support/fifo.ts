import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { testFolder } from './folder.js';

/**
 * What a command reads that outlives its `holdfast`. Not stdin: that is closed
 * when holdfast ends.
 */
export class Fifo {
  readonly path = join(testFolder(), 'fifo');
  readonly #end: number;

  constructor() {
    execFileSync('mkfifo', [this.path]);
    this.#end = openSync(this.path, constants.O_RDWR | constants.O_NONBLOCK);
    onTestFinished(() => closeSync(this.#end));
  }

  write(text: string): void {
    writeSync(this.#end, text);
  }
}
