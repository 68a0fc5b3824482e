import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect } from 'vitest';
import { call, onTerminal } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { Program } from '../support/program.js';
import { needs } from '../support/tools.js';

/** What is typed, and what the shell offers for its last word. */
const TYPED: [typed: string, offered: string[]][] = [
  ['holdfast st', ['status']],
  ['holdfast claim in', ['install-hook']],
  ['holdfast claim re', ['release', 'renew']],
  ['holdfast claim install-hook --for c', ['claude-code', 'codex', 'cursor']],
  ['holdfast claim install-hook --unclaimed ', ['allow', 'claim', 'deny']],
  ['holdfast claim hook --for g', ['gemini']],
  ['holdfast run --non', ['--nonblock', '--nonblocking']],
  ['holdfast run -n --uni', []],
  ['holdfast run -n a.lock zz-pro', ['zz-program']],
  ['holdfast run -w 5 a.lock -- zz-pro', ['zz-program']],
  ['holdfast next-id sub zz-pro', ['zz-program']],
  ['holdfast claim run sub -- zz-pro', ['zz-program']],
  ['holdfast doctor s', ['sub/']],
  ['holdfast claim list --dir s', ['sub/']],
  ['holdfast elect st', ['status']],
  ['holdfast elect status s', ['sub/']],
  ['holdfast completion ', ['bash', 'fish', 'zsh']],
  ['holdfast help claim set', ['set-aside']],
];

let scripts: Record<string, string> = {};
beforeAll(async () => {
  const shells = ['bash', 'zsh', 'fish'];
  const printed = await Promise.all(shells.map((shell) => call('completion', shell)));
  scripts = Object.fromEntries(shells.map((shell, at) => [shell, printed[at]?.stdout ?? '']));
});

/** With a folder, a file, and a program that nothing else is called like. */
function place(shell: string): { folder: string; script: string; env: NodeJS.ProcessEnv } {
  const folder = testFolder();
  const bin = join(folder, 'bin');
  mkdirSync(join(folder, 'sub'));
  mkdirSync(bin);
  writeFileSync(join(folder, 'a.lock'), '');
  for (const name of ['zz-program', 'holdfast']) {
    writeFileSync(join(bin, name), '#!/bin/sh\n', { mode: 0o755 });
  }
  const script = join(folder, `completion.${shell}`);
  writeFileSync(script, scripts[shell] ?? '');
  const env = {
    ...process.env,
    PATH: `${bin}:${process.env['PATH']}`,
    HOME: folder,
    ZDOTDIR: folder,
  };
  return { folder, script, env };
}

/** Each word without the slash that only some shells give a folder. */
const plain = (words: string[]): string[] =>
  [...new Set(words.map((word) => word.replace(/\/$/, '')))].sort();

describe('in bash', () => {
  // The words as readline gives them to the function of the script.
  const HARNESS = `
    . "$1"
    while IFS= read -r typed; do
      eval "COMP_WORDS=($typed)"
      case $typed in *' ') COMP_WORDS+=('') ;; esac
      COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
      COMPREPLY=()
      _holdfast
      echo "$typed > \${COMPREPLY[*]}"
    done`;

  async function offers(typed: string[]): Promise<Map<string, string[]>> {
    const { folder, script, env } = place('bash');
    const bash = Program.start('bash', ['--norc', '-c', HARNESS, 'bash', script], {
      cwd: folder,
      env,
    });
    bash.process.stdin?.write(`${typed.join('\n')}\n`);
    const { stdout, stderr } = await bash.end();
    expect(stderr).toBe('');
    const lines = stdout.trimEnd().split('\n');
    return new Map(
      lines.map((line) => {
        const [about = '', words = ''] = line.split(' > ');
        return [about, words.split(' ').filter((word) => word !== '')];
      }),
    );
  }

  needs('bash')('each word gets what the page has', async () => {
    const all = await offers(TYPED.map(([typed]) => typed));
    for (const [typed, offered] of TYPED) {
      expect(plain(all.get(typed) ?? []), typed).toEqual(plain(offered));
    }
  });

  needs('bash')('a value after = is one as well, and a file is left to readline', async () => {
    const all = await offers([
      'holdfast claim hook --for = g',
      'holdfast status a',
      'holdfast run a',
    ]);
    expect([...all.values()]).toEqual([['gemini'], [], []]);
  });
});

describe('in fish', () => {
  needs('fish')('each word gets what the page has', async () => {
    const { folder, script, env } = place('fish');
    const lines = TYPED.map(([typed]) => `echo '${typed} >' (complete -C '${typed}')`);
    const fish = Program.start(
      'fish',
      ['--no-config', '-c', `source ${script}\n${lines.join('\n')}`],
      {
        cwd: folder,
        env,
      },
    );
    const { stdout, stderr } = await fish.end();
    expect(stderr).toBe('');
    const all = stdout.trimEnd().split('\n');
    for (const [at, [typed, offered]] of TYPED.entries()) {
      // Each with its description after a tab.
      const line = all[at] ?? '';
      for (const word of offered)
        expect(line, typed).toMatch(new RegExp(`[ \t]${word.replace('/', '/?')}([ \t]|$)`));
      if (offered.length === 0) expect(line, typed).toBe(`${typed} >`);
    }
  });
});

describe('in zsh', () => {
  needs('zsh', 'python3')('the Tab key completes, and lists what there is', async () => {
    const { folder, script, env } = place('zsh');
    const words = Object.entries({ ...env, TERM: 'vt100' }).map(
      ([name, value]) => `${name}=${value}`,
    );
    const zsh = onTerminal('env', '-C', folder, '-i', ...words, 'zsh', '-f', '-i');
    const type = (text: string): void => void zsh.process.stdin?.write(text);
    // The prompt comes once the shell reads keys, and no longer the terminal lines.
    const setUp = [
      'setopt PROMPT_SUBST; unsetopt LIST_AMBIGUOUS',
      'autoload -Uz compinit; compinit -D -u',
      `. ${script}`,
      "PS1='$said> '",
    ];
    type(`${setUp.join('; ')}; said=ready\n`);
    await zsh.says('ready> ');
    for (const [at, [typed, offered]] of TYPED.entries()) {
      const from = zsh.stdout.length;
      // It reads these keys one after the other: complete, empty the line, say so.
      type(`${typed}\t\x15said=done-${at}\n`);
      await zsh.says(`done-${at}> `);
      const shown = zsh.stdout.slice(from);
      for (const word of offered) expect(shown, typed).toContain(word.replace('/', ''));
    }
  });
});
