import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { shellOperand } from '../../src/cli/shell-operand.js';
import { COMMAND } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { needs } from '../support/tools.js';

/** A script of bash in which `holdfast` is the command. */
function bash(folder: string, script: string): string {
  const whole = `holdfast() { "$NODE" "$IT" "$@"; }\n${script}`;
  const env = { ...process.env, NODE: process.execPath, IT: COMMAND };
  return spawnSync('bash', ['-c', whole], { cwd: folder, encoding: 'utf8', env }).stderr;
}

describe.runIf(process.platform === 'linux')('a refusal of run', () => {
  needs('bash')('by an inherited descriptor names the shell, not holdfast itself', () => {
    const script = 'exec 9>f; holdfast run 9; echo "shell $$." >&2; holdfast run -n f true';
    const stderr = bash(testFolder(), script);
    const shell = /shell (\d+)\./.exec(stderr)?.[1];
    expect(shell).toBeDefined();
    expect(stderr).toContain(`inherited from pid ${shell} (`);
    expect(stderr).toContain('9>&-');
  });

  needs('bash')('says that the holder is above it', () => {
    const outside = bash(testFolder(), 'holdfast run f sh -c \'"$NODE" "$IT" run -n g true\'');
    expect(outside).toBe('');
    const inside = bash(testFolder(), 'holdfast run f sh -c \'"$NODE" "$IT" run -n f true\'');
    expect(inside).toContain('this command runs inside it');
  });
});

describe('a word for the prompt', () => {
  test.each([
    ['a/b.lock', 'a/b.lock'],
    ['-x', '-- -x'],
    ['a b', "'a b'"],
    ["it's", "'it'\\''s'"],
    ['', "''"],
    ['#a', "'#a'"],
    ['postgres://db/app#deploy', 'postgres://db/app#deploy'],
  ])('%j: %s', (word, typed) => {
    expect(shellOperand(word)).toBe(typed);
  });

  // What words.ts makes of the bytes ff and 80 are lone surrogates.
  const names: [string, string][] = [
    ['a b', 'a b'],
    ["it's $HOME `x` \\n", "it's $HOME `x` \\n"],
    ["a\nb'\\\t", "a\nb'\\\t"],
    ['\udcff0\udc80', '\xff0\x80'],
    ['a\u202eb', 'a\xe2\x80\xaeb'],
    ['é\n1\u0085', 'Ã©\n1Â\x85'],
  ];
  for (const [word, bytes] of names) {
    needs('bash')(`${JSON.stringify(word)} is that name again in bash`, () => {
      const folder = testFolder();
      const script = `: >${shellOperand(word).replace(/^-- /, '')}`;
      spawnSync('bash', ['-c', script], { cwd: folder });
      const found = readdirSync(folder, { encoding: 'buffer' });
      expect(found.map((each) => each.toString('latin1'))).toEqual([bytes]);
    });
  }
});
