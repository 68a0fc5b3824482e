// @module-tag long
import { readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect } from 'vitest';
import { until } from '../support/census.js';
import { testFolder } from '../support/folder.js';
import { Program } from '../support/program.js';
import { needs } from '../support/tools.js';

const EXAMPLE = fileURLToPath(new URL('../../examples/two-agents/two-agents.mjs', import.meta.url));
const withGit = needs('git');

/** The example, and the folder in which it makes its repository. */
function example(environment: NodeJS.ProcessEnv = {}, ...args: string[]): [Program, string] {
  const folder = realpathSync(testFolder());
  const env = { ...process.env, TMPDIR: folder, ...environment };
  return [Program.start(process.execPath, [EXAMPLE, ...args], { env }), folder];
}

/** What came of what was done, in order: the lines after `title`, up to the next title. */
function told(stdout: string, title: string): string[] {
  const part = stdout.split('\n\n').find((each) => each.startsWith(`${title}\n`));
  if (part === undefined) throw new Error(`"${title}" is not in: ${stdout}`);
  return part.trimEnd().split('\n').slice(1);
}

/** The processes that work in a folder, which may be gone. */
function workingIn(folder: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(join('/proc', pid, 'cwd')).startsWith(folder);
    } catch {
      return false;
    }
  });
}

describe('the two agents', () => {
  withGit('keep out of each other’s way until one is killed, and leave nothing', async () => {
    // Of whoever starts it, neither the name nor the claims nor the repository count.
    const [program, folder] = example({
      HOLDFAST_AGENT: 'me',
      HOLDFAST_CLAIMS: '/nowhere',
      GIT_DIR: '/nowhere',
    });
    const { code, stdout, stderr } = await program.exited;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.match(/^The .*/gm)).toEqual([
      'The first agent writes greet.js',
      'The second agent writes greet.js',
      'The second agent goes on with bye.js',
      'The second agent runs git stash',
      'The first agent is killed',
      'The second agent writes greet.js again',
      'The second agent ends',
    ]);
    const [done, owner = ''] = told(stdout, 'The first agent writes greet.js');
    expect(done).toBe('  done');
    const name = /^ {2}(claude-code-[\w-]+) has it now/.exec(owner)?.[1];
    const refusal = told(stdout, 'The second agent writes greet.js');
    expect(refusal[0]).toBe('  stopped, and its model reads:');
    expect(refusal[2]).toContain(`greet.js is claimed by ${name},`);
    const stash = told(stdout, 'The second agent runs git stash');
    expect(stash[0]).toBe('  stopped, and its model reads:');
    expect(stash).toContain(`  | - ${name}: greet.js`);
    expect(told(stdout, 'The second agent goes on with bye.js')).toEqual(['  done']);
    expect(told(stdout, 'The first agent is killed')).toEqual(['  ended by SIGKILL']);
    expect(told(stdout, 'The second agent writes greet.js again')).toEqual(['  done']);
    expect(told(stdout, 'The second agent ends')).toEqual(['  nobody has a claim']);
    expect(readdirSync(folder)).toEqual([]);
  });

  withGit('end with 1 if it is not as told, and leave nothing', async () => {
    // Without the addon the hook refuses each write.
    const [program, folder] = example({ HOLDFAST_PREBUILD: testFolder() });
    const { code, stderr } = await program.exited;
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^Error: /) });
    expect(readdirSync(folder)).toEqual([]);
  });

  withGit('leave nothing after SIGTERM, and no process', async () => {
    const [program, folder] = example();
    await program.says('  stopped');
    expect(workingIn(folder).length).toBeGreaterThanOrEqual(2);
    expect(await program.kill('SIGTERM')).toMatchObject({ code: 128 + 15, stderr: '' });
    expect(readdirSync(folder)).toEqual([]);
    await until(() => workingIn(folder).length === 0);
  });

  withGit('wrong words are 64', async () => {
    const [program, folder] = example({}, 'x');
    expect(await program.exited).toMatchObject({ code: 64, stdout: '' });
    expect(readdirSync(folder)).toEqual([]);
  });
});
