// @module-tag long
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Block, blocksOf, PAGES, ROOT, read } from '../support/docs-pages.js';
import { SETUPS, type Setup } from '../support/docs-setups.js';
import { testFolder } from '../support/folder.js';
import { testWith } from '../support/package-project.js';
import { Program } from '../support/program.js';

const COMMAND = join(ROOT, 'dist', 'cli', 'holdfast.js');
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
// What the pages compare with: blocks with them run where npm has them.
const PEERS = [
  'proper-lockfile@4.1.2',
  'fs-ext@2.1.1',
  'lockfile@1.0.4',
  'write-file-atomic@7.0.1',
];
const nameOf = (peer: string): string => peer.replace(/@.*/, '');

const BLOCKS = PAGES.flatMap((page) => blocksOf(page, read(page)));
const titleOf = ({ page, line }: Block): string => `${page}:${line}`;

/** What a block takes for granted; a name that is not there is a mistake. */
function setupOf(block: Block): Setup {
  if (block.setup === null) return {};
  const setup = SETUPS[block.setup];
  if (setup === undefined) throw new Error(`${titleOf(block)}: no setup ${block.setup}`);
  return setup;
}

/** A folder with the package, and others, as npm would have installed them. */
function project(packages: Record<string, string> = {}): string {
  const folder = testFolder();
  mkdirSync(join(folder, 'node_modules'));
  for (const [name, path] of Object.entries({ holdfast: ROOT, ...packages })) {
    symlinkSync(path, join(folder, 'node_modules', name));
  }
  return folder;
}

function programOf(block: Block): string {
  const { before = '', after = '' } = setupOf(block);
  return `${before}\n${block.source}${after}\n`;
}

async function runs(folder: string, file: string, setup: Setup): Promise<void> {
  setup.prepare?.(folder);
  const start = (): Program => Program.start(process.execPath, [file], { cwd: folder });
  if (setup.run !== undefined) return setup.run(start, folder);
  expect(await start().exited).toEqual({
    code: 0,
    signal: null,
    stdout: setup.prints ?? '',
    stderr: '',
  });
}

async function runsAsWritten(block: Block, packages: Record<string, string> = {}): Promise<void> {
  const folder = project(packages);
  writeFileSync(join(folder, 'block.mjs'), programOf(block));
  await runs(folder, 'block.mjs', setupOf(block));
}

/** What the compiler says of a program; what it makes of it is in `out/`. */
function compile(folder: string, source: string): string {
  writeFileSync(join(folder, 'block.mts'), source);
  return compileFiles(folder, ['block.mts']);
}

function compileFiles(folder: string, files: string[]): string {
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--module', 'nodenext'];
  const target = ['--target', 'es2022', '--lib', 'es2023,esnext.disposable', '--outDir', 'out'];
  const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules', '@types')];
  const args = [TSC, ...strict, ...target, ...types, ...files];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
  });
  return status === 0 ? '' : `${stdout}${stderr}`;
}

async function compilesAndRuns(block: Block): Promise<void> {
  const folder = project();
  expect(compile(folder, programOf(block))).toBe('');
  const setup = setupOf(block);
  if (setup.typesOnly !== true) await runs(folder, join('out', 'block.mjs'), setup);
}

/** Whether a shell can read it, and the commands of the package are there. */
function isShell(source: string): void {
  const { status, stderr } = spawnSync('sh', ['-n'], { input: source, encoding: 'utf8' });
  expect({ status, stderr }, source).toEqual({ status: 0, stderr: '' });
  const commands = [...source.matchAll(/\bholdfast ([a-z][a-z-]*) /g)].map(([, name = '']) => name);
  for (const command of new Set(commands)) {
    const help = spawnSync(process.execPath, [COMMAND, command, '--help'], { encoding: 'utf8' });
    expect({ command, status: help.status, stderr: help.stderr }).toMatchObject({
      status: 0,
      stderr: '',
    });
  }
}

/** What a terminal shows: what is typed there is shell, and no program is among it. */
function isTerminal(source: string): void {
  expect(source).not.toMatch(/^\s*(import|export|const|let|await|require)\b/m);
  const typed = source.split('\n').filter((line) => /^ *\$ /.test(line));
  isShell(typed.map((line) => `${line.replace(/^ *\$ /, '')}\n`).join(''));
}

/** What a change is made of, and what it makes. */
async function compilesOnBothSides(block: Block): Promise<void> {
  for (const side of ['-', '+']) {
    const lines = block.source
      .split('\n')
      .filter((line) => line === '' || ` ${side}`.includes(line[0] ?? ''));
    await compilesAndRuns({ ...block, source: lines.map((line) => line.slice(1)).join('\n') });
  }
}

const CHECKS: Record<string, (block: Block) => void | Promise<void>> = {
  js: (block) => runsAsWritten(block),
  ts: compilesAndRuns,
  diff: compilesOnBothSides,
  sh: ({ source }) => isShell(source),
  json: ({ source }) => void JSON.parse(source),
  '': ({ source }) => isTerminal(source),
};

describe('every block of the pages', () => {
  for (const block of BLOCKS) {
    const title = `${titleOf(block)} ${block.language}`;
    const peers = PEERS.filter((each) => block.source.includes(`'${nameOf(each)}'`));
    const check = CHECKS[block.language];
    if (check === undefined) {
      test(title, () => {
        throw new Error(`nobody knows how to check a block of ${block.language}`);
      });
    } else if (peers.length === 0) test(title, () => check(block));
    else {
      testWith(peers, title, async (folder) => {
        const paths = peers.map(nameOf).map((name) => [name, join(folder, name)] as const);
        for (const [name, path] of paths) {
          const compiled = join(path, 'build', 'Release', `${name.replaceAll('-', '_')}.node`);
          if (existsSync(join(path, 'binding.gyp')) && !existsSync(compiled)) {
            execFileSync('npm', ['rebuild', name], { cwd: dirname(folder), stdio: 'pipe' });
          }
        }
        await runsAsWritten(block, Object.fromEntries(paths));
      });
    }
  }
});

// A name that the block takes for granted: TypeScript knows other names, or none.
const NAME_OF_THE_READER = /error TS(2304|2552|2593|18004):/;

/** Of blocks in JavaScript: why TypeScript would refuse them, in strict mode. */
function refusedAsTypeScript(blocks: readonly Block[]): string[] {
  const folder = project();
  const files = blocks.map(({ page, line, source }) => {
    const file = `${page.replaceAll('/', '-')}-${line}.mts`;
    writeFileSync(join(folder, file), `${source}\nexport {};\n`);
    return file;
  });
  const said = compileFiles(folder, files).split('\n');
  return said.filter((line) => line !== '' && !NAME_OF_THE_READER.test(line));
}

describe('JavaScript of the pages', () => {
  // Some of the peers have no types.
  const blocks = BLOCKS.filter(
    ({ language, source }) =>
      language === 'js' && !PEERS.some((each) => source.includes(`'${nameOf(each)}'`)),
  );

  test('is TypeScript, too', () => {
    expect(blocks.length).toBeGreaterThan(15);
    expect(refusedAsTypeScript(blocks)).toEqual([]);
  });

  test('is refused as TypeScript where a type is missing', () => {
    const block = { page: 'x.md', line: 1, language: 'js', setup: null };
    const source = 'export const run = (work) => work(deploy);\n';
    expect(refusedAsTypeScript([{ ...block, source }])).toEqual([
      expect.stringContaining('TS7006'),
    ]);
  });
});

describe('the checks', () => {
  const block = (language: string, source: string, setup: string | null = null): Block => ({
    page: 'x.md',
    line: 1,
    language,
    setup,
    source,
  });

  test('see every fence of the pages', () => {
    const fences = PAGES.flatMap((page) => read(page).match(/^ *(```|~~~)/gm) ?? []);
    expect(fences.length).toBe(2 * BLOCKS.length);
    const count = (language: string) => BLOCKS.filter((each) => each.language === language).length;
    expect(count('js')).toBeGreaterThan(15);
    expect(count('ts')).toBeGreaterThan(1);
  });

  test('use every setup, and have each that is named', () => {
    const named = BLOCKS.flatMap(({ setup }) => (setup === null ? [] : [setup]));
    expect([...new Set(named)].sort()).toEqual(Object.keys(SETUPS).sort());
    // A comment that is not right above its block names nothing.
    const comments = PAGES.flatMap((page) => read(page).match(/^ *<!-- setup/gm) ?? []);
    expect(comments.length).toBe(named.length);
  });

  test.each([
    ['js', "import { FileLok } from 'holdfast';"],
    ['js', "import { FileLock } from 'holdfast';\nawait FileLock.acquire('x';"],
    ['js', 'const lock = await FileLock.acquire("x");'],
    ['js', "console.log('more than was said');"],
    ['ts', "import { FileLock } from 'holdfast';\nawait FileLock.acquire('x', { retries: 1 });"],
    ['sh', 'if true'],
    ['sh', 'holdfast rum x.lock true'],
    ['json', '{"a":}'],
    ['', "import { FileLock } from 'holdfast';"],
    ['', '$ holdfast rum x.lock true'],
  ])('find what is wrong in %s: %s', async (language, source) => {
    const check = async () => CHECKS[language]?.(block(language, `${source}\n`));
    await expect(check()).rejects.toThrow();
  });

  test('find no syntax in JavaScript that the oldest supported Node does not have', () => {
    const { engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    // The Node at hand may be a newer one, which runs it.
    expect(engines.node).toMatch(/^\^20\./);
    expect(
      BLOCKS.filter(({ language, source }) => language === 'js' && /\busing\b/.test(source)),
    ).toEqual([]);
  });
});
