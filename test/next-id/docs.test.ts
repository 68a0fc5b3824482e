import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { withNextId } from '../../src/next-id.js';
import { COMMAND } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { Program } from '../support/program.js';
import { errorOf } from '../support/refused.js';
import { needs } from '../support/tools.js';

const PAGE = readFileSync(new URL('../../docs/next-id.md', import.meta.url), 'utf8');

/** Each block of commands with what they print, by the heading above it. */
const EXAMPLES = [
  ...PAGE.matchAll(/^### (.+)\n[^#]*?^```sh\n([\s\S]*?)^```\n\n```\n([\s\S]*?)^```/gm),
].map(([, title = '', commands = '', output = '']) => ({ title, commands, output }));

describe('the commands of docs/next-id.md', () => {
  test('are three', () => {
    expect(EXAMPLES.map(({ title }) => title)).toEqual([
      'Migrations',
      'Decision records',
      'Branches in worktrees',
    ]);
  });

  for (const { title, commands, output } of EXAMPLES) {
    needs('git')(`print what the page says: ${title}`, async () => {
      const folder = testFolder();
      const bin = join(folder, 'bin');
      mkdirSync(bin);
      const script = `#!/bin/sh\nexec '${process.execPath}' '${COMMAND}' "$@"\n`;
      writeFileSync(join(bin, 'holdfast'), script, { mode: 0o755 });
      const env = {
        ...process.env,
        PATH: `${bin}:${process.env['PATH']}`,
        LC_ALL: 'C',
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_AUTHOR_NAME: 'A',
        GIT_AUTHOR_EMAIL: 'a@example.org',
        GIT_COMMITTER_NAME: 'A',
        GIT_COMMITTER_EMAIL: 'a@example.org',
      };
      const cwd = join(folder, 'work');
      mkdirSync(cwd);
      const program = Program.start('sh', ['-e', '-c', commands], { cwd, env });
      expect(await program.end()).toEqual({ code: 0, signal: null, stdout: output, stderr: '' });
    });
  }
});

describe('the table of names in docs/next-id.md', () => {
  const [, section = ''] = PAGE.split('## Which number is the id\n');
  const rows = [...section.matchAll(/^\| (`.*`) \| (\d+|refused)\b.*\|$/gm)].map(
    ([, names = '', last = '']) => ({ names: names.match(/[^`, ]+/g) ?? [], last }),
  );

  test('has rows of both kinds', () => {
    expect(rows.filter(({ last }) => last === 'refused').length).toBeGreaterThan(1);
    expect(rows.filter(({ last }) => last !== 'refused').length).toBeGreaterThan(3);
  });

  test.each(rows)('is right: $names, $last', async ({ names, last }) => {
    const folder = testFolder();
    for (const name of names) writeFileSync(join(folder, name), '');
    const call = (): Promise<{ id: number }> => withNextId(folder, () => {});
    if (last === 'refused') {
      expect(await errorOf(call)).toMatchObject({ code: 'ERR_ID_AMBIGUOUS' });
    } else expect((await call()).id).toBe(Number(last) + 1);
  });
});
