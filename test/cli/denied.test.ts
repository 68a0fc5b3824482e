import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { COMMAND, finish } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { Program } from '../support/program.js';
import { NOBODY, needs } from '../support/tools.js';

const asRoot = needs('root');

function openFolder(): string {
  const folder = testFolder();
  chmodSync(folder, 0o777);
  return folder;
}

describe('a file or folder of another user: the message names it, its owner and mode', () => {
  asRoot('a lock file with mode 0600', async () => {
    const file = join(openFolder(), 'a.lock');
    writeFileSync(file, '', { mode: 0o600 });
    const { code, stderr } = await finish(['run', '-n', file, 'true'], NOBODY);
    expect(code).toBe(73);
    expect(stderr).toContain(
      `(${file} belongs to uid 0, gid 0, mode 0600; this process is uid 65534)`,
    );
  });

  asRoot('a folder that hides what is in it', async () => {
    const folder = join(openFolder(), 'private');
    mkdirSync(join(folder, 'deep'), { recursive: true });
    chmodSync(folder, 0o700);
    const file = join(folder, 'deep', 'a.lock');
    const calls = [
      ['run', file, 'true'],
      ['next-id', join(folder, 'deep')],
      ['elect', join(folder, 'deep'), 'true'],
      ['doctor', join(folder, 'deep')],
    ];
    const said = await Promise.all(calls.map((words) => finish(words, NOBODY)));
    for (const { code, stderr } of said) {
      expect(code).toBe(73);
      expect(stderr).toContain(`(${folder} belongs to uid 0, gid 0, mode 0700;`);
    }
  });

  asRoot('a missing folder: the message names the folder, not the file', async () => {
    const folder = testFolder();
    chmodSync(folder, 0o755);
    const { code, stderr } = await finish(['run', join(folder, 'new', 'a.lock'), 'true'], NOBODY);
    expect(code).toBe(73);
    expect(stderr).toContain(`mkdir '${join(folder, 'new')}'`);
    expect(stderr).toContain(`(${folder} belongs to uid 0, gid 0, mode 0755;`);
  });

  asRoot('a name that a terminal would obey', async () => {
    const folder = join(openFolder(), 'a\x1b[31m');
    mkdirSync(folder, { mode: 0o700 });
    const { code, stderr } = await finish(['run', join(folder, 'a.lock'), 'true'], NOBODY);
    expect(code).toBe(73);
    expect(stderr).toContain('a\\x1b[31m belongs to uid 0');
  });

  needs('root', 'unshare')('a seat on a read-only file system is no matter of users', async () => {
    const folder = testFolder();
    const script =
      'mount -t tmpfs none "$0" && "$1" "$2" elect "$0" true && mount -o remount,ro "$0" && exec "$1" "$2" elect "$0" true';
    const words = ['-m', 'sh', '-c', script, folder, process.execPath, COMMAND];
    const { code, stderr } = await Program.start('unshare', words).end();
    expect(code).toBe(73);
    expect(stderr).toContain('EROFS');
    expect(stderr).not.toContain('EACCES');
  });
});
