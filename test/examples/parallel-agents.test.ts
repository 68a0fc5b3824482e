// @module-tag long
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Claims } from '../../src/claims.js';
import { testFolder } from '../support/folder.js';
import { repository } from '../support/git.js';
import { Program } from '../support/program.js';

const EXAMPLE = fileURLToPath(new URL('../../examples/parallel-agents/', import.meta.url));
const LOCKS = '.git/holdfast/claims';

/** A copy of the example's tree, as a repository. */
function project(): string {
  const tree = join(testFolder(), 'project');
  cpSync(join(EXAMPLE, 'project'), tree, { recursive: true });
  return repository(tree);
}

function orchestrator(...args: string[]): Program {
  return Program.start(process.execPath, [join(EXAMPLE, 'orchestrator.mjs'), ...args]);
}

/** With this plan instead of the example's. */
function planned(tree: string, plan: unknown): Program {
  const file = join(tree, 'plan.json');
  writeFileSync(file, JSON.stringify(plan));
  return orchestrator(tree, file);
}

const read = (tree: string, path: string): string => readFileSync(join(tree, path), 'utf8');

function claimFiles(tree: string): string[] {
  const folder = join(tree, LOCKS);
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.lock')) : [];
}

describe('the parallel agents', () => {
  test('work in waves, each within its claim, and leave none', async () => {
    const tree = project();
    const { code, stdout, stderr } = await orchestrator(tree).exited;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const said = stdout.split('\n');
    const at = (line: string): number => {
      expect(said).toContain(line);
      return said.indexOf(line);
    };
    // The plan.
    expect(said.slice(0, 8)).toEqual([
      'wave 1: developer, migrator, writer, reviewer',
      'wave 2: tester, tuner',
      expect.stringMatching(/^developer and tester both want backend\/qualys\/.*_test\.go:$/),
      '  split: add backend/**/*_test.go to the "except" of developer',
      '  sequential: run tester after developer',
      'migrator and tuner both want db/schema.sql:',
      '  split: add db/schema.sql to the "except" of migrator',
      '  sequential: run tuner after migrator',
    ]);
    // Who is in the way, and that it is waited for.
    const waits = said.findIndex((line) =>
      line.startsWith('tester: waits for developer ("Implement the client"), because of backend/'),
    );
    expect(waits).toBeGreaterThan(at('developer: has its claim'));
    expect(waits).toBeLessThan(at('developer: done, its claim is free'));
    expect(at('tester: has its claim')).toBeGreaterThan(at('developer: done, its claim is free'));
    at('tuner: waits for migrator ("Add the table of findings"), because of db/schema.sql');
    // A crash frees its claim, which has an hour to go.
    const crash = at('migrator: ended by SIGKILL, its claim is free');
    expect(crash).toBeLessThan(at('tuner: has its claim'));
    // Outside of its scope.
    at("writer: refused backend/qualys/client.go: it is developer's");
    at('writer: done, its claim is free');
    at('tester: done, its claim is free');
    at('tuner: done, its claim is free');
    at('reviewer: done');
    expect(said.slice(-2)).toEqual(['no claim is left', '']);
    // The tree.
    expect(claimFiles(tree)).toEqual([]);
    expect(read(tree, 'backend/qualys/client.go')).toBe(
      'package qualys\nfunc Scan() error { return nil }\n// See docs/qualys.md.\n',
    );
    expect(read(tree, 'backend/qualys/client_test.go')).toBe(
      'package qualys\nfunc TestScan(t *testing.T) {}\n',
    );
    expect(read(tree, 'docs/qualys.md')).toBe('# Qualys\n`Scan` scans.\n');
    expect(read(tree, 'db/schema.sql').split('\n')).toEqual([
      'CREATE TABLE scans (id INTEGER PRIMARY KEY);',
      'CREATE TABLE findings (id INTEGER PRIMARY KEY);',
      'CREATE INDEX scans_by_id ON scans (id);',
      '',
    ]);
  });

  test('a path that nobody has claimed is refused as well', async () => {
    const tree = project();
    const steps = [{ edit: 'README.md', add: 'hello' }];
    const end = await planned(tree, [{ agent: 'one', files: ['a'], steps }]).exited;
    expect(end).toMatchObject({ code: 0, stderr: '' });
    expect(end.stdout).toContain('one: refused README.md: nobody has claimed it\n');
    expect(existsSync(join(tree, 'README.md'))).toBe(false);
  });

  test('after kill -9 of the orchestrator its agents keep their claims until they end', async () => {
    const tree = project();
    const slow = [{ agent: 'slow', files: ['a'], steps: [{ await: 'go', until: 'on' }] }];
    const quick = [{ agent: 'quick', files: ['b'], steps: [{ edit: 'b', add: 'done' }] }];
    const killed = planned(tree, slow);
    await killed.says('slow: has its claim\n');
    await killed.says('slow: waits for go\n');
    await killed.kill('SIGKILL');
    expect(claimFiles(tree)).toEqual(['slow.lock']);
    const again = await planned(tree, slow).exited;
    expect(again).toMatchObject({ code: 1, stdout: 'wave 1: slow\n' });
    expect(again.stderr).toMatch(/^Error: .*slow/);
    // Others are not in its way.
    expect(await planned(tree, quick).exited).toMatchObject({ code: 0, stderr: '' });
    expect(read(tree, 'b')).toBe('done\n');
    writeFileSync(join(tree, 'go'), 'on');
    await expect
      .poll(async () => (await planned(tree, slow).exited).code, { timeout: 10_000 })
      .toBe(0);
    expect(claimFiles(tree)).toEqual([]);
  });

  test('wait for an agent that somebody else has started', async () => {
    const tree = project();
    const claims = new Claims(join(tree, LOCKS));
    await claims.claim({ agent: 'codex', files: ['a'], taskDescription: 'T', by: 'hook', tree });
    const steps = [{ edit: 'a', add: 'done' }];
    const plan = planned(tree, [{ agent: 'one', files: ['a'], steps }]);
    await plan.says('one: waits for codex ("T"), because of a\n');
    await claims.release('codex');
    expect(await plan.exited).toMatchObject({ code: 0, stderr: '' });
  });

  test('a plan that is none is said to be, and nothing is started', async () => {
    const tree = project();
    const end = await planned(tree, [{ agent: 'one', files: ['../b'] }]).exited;
    expect(end).toMatchObject({ code: 1, stdout: '' });
    expect(end.stderr).toMatch(/^Error: .*files\[0\]/);
    expect(claimFiles(tree)).toEqual([]);
    expect(await orchestrator().exited).toMatchObject({ code: 64, stdout: '' });
  });
});
