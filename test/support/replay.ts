import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { FileLock, type LockMode } from '../../src/index.js';
import { COMMAND } from './command.js';
import { testFolder } from './folder.js';
import { Program } from './program.js';
import { needs, type Tool } from './tools.js';

export const LOCKERS = ['flock', 'holdfast'] as const;
export type Locker = (typeof LOCKERS)[number];

/** The result of a script. */
export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
  /** What is in the folder afterwards. */
  files: string[];
}

/**
 * A folder of its own to work in, and a command `lock` on the PATH which is
 * flock(1) or `holdfast run`, under the same pid.
 */
export class Stage {
  #alive = -1;
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
  /** The path of `lock`. */
  readonly lock: string;

  constructor(locker: Locker) {
    const root = testFolder();
    chmodSync(root, 0o755);
    this.folder = join(root, 'work');
    const commands = join(root, 'bin');
    for (const folder of [this.folder, commands]) mkdirSync(folder);
    this.lock = join(commands, 'lock');
    const words = locker === 'flock' ? [realFlock()] : [process.execPath, COMMAND, 'run'];
    const quoted = words.map((word) => `'${word}'`).join(' ');
    writeFileSync(this.lock, `#!/bin/sh\nexec ${quoted} "$@"\n`, { mode: 0o755 });
    const { PATH = '' } = process.env;
    this.environment = { ...process.env, PATH: `${commands}:${PATH}`, SHELL: '/bin/sh' };
  }

  path(name = 'f'): string {
    return join(this.folder, name);
  }

  /** The end of `keepAlive()`. */
  stop(): void {
    if (this.#alive >= 0) closeSync(this.#alive);
    this.#alive = -1;
  }

  /**
   * Makes a FIFO `alive` in the folder which ends at `stop()`. Not stdin: that
   * is closed when the program ends, and its command may live on.
   */
  keepAlive(): void {
    execFileSync('mkfifo', [this.path('alive')]);
    this.#alive = openSync(this.path('alive'), constants.O_RDWR | constants.O_NONBLOCK);
    onTestFinished(() => this.stop());
  }

  /** A script for sh. Its stdin stays open until `end()`. */
  script(text: string): Program {
    return Program.start('sh', ['-c', text], { cwd: this.folder, env: this.environment });
  }

  /** `lock` itself, so that the program's pid is flock's or holdfast's. */
  start(...args: string[]): Program {
    return Program.start(this.lock, args, { cwd: this.folder, env: this.environment });
  }
}

let flock: string | undefined;

// By its whole path, for a script may have another program of that name.
function realFlock(): string {
  flock ??= execFileSync('sh', ['-c', 'command -v flock'], { encoding: 'utf8' }).trim();
  return flock;
}

/** Runs a script while this process holds the file `f`, if `hold` says so. */
export async function replay(locker: Locker, script: string, hold?: LockMode): Promise<Outcome> {
  const stage = new Stage(locker);
  const lock =
    hold === undefined
      ? undefined
      : FileLock.acquireSync(stage.path(), { mode: hold, record: false });
  try {
    const { code, stdout, stderr } = await stage.script(script).end();
    // How long it took.
    const steady = stdout.replace(/\d+\.\d{6}/g, 'N');
    return { code, stdout: steady, stderr, files: readdirSync(stage.folder).sort() };
  } finally {
    lock?.releaseSync();
  }
}

/** What a script prints under flock(1), and that it prints the same under Holdfast. */
export function same(
  cases: Record<string, { script: string; prints: string }>,
  ...tools: Tool[]
): void {
  for (const [title, { script, prints }] of Object.entries(cases)) {
    needs('flock', ...tools)(title, async () => {
      for (const locker of LOCKERS) {
        const { stdout, stderr, code } = await replay(locker, script);
        expect({ locker, stdout, stderr, code }).toMatchObject({ locker, stdout: prints, code: 0 });
      }
    });
  }
}
