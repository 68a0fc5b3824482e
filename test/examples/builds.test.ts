import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { testFolder } from '../support/folder.js';
import { isAlive } from '../support/kernel.js';
import { Program } from '../support/program.js';

const SUITE = fileURLToPath(new URL('../../examples/builds/suite.mjs', import.meta.url));
const TESTS = 'echo "tests $$ on $PORT with $DATABASE"; exec cat';

/** Its tests run until the end of its input. */
function suite(folder: string, ...words: string[]): Program {
  const env = { ...process.env, TMPDIR: folder };
  return Program.start(process.execPath, [SUITE, ...words], { cwd: folder, env });
}

test('two suites run, a third waits, and has the ports of the one that ends', async () => {
  const folder = testFolder();
  const first = suite(folder, 'sh', '-c', TESTS);
  await first.says('on 4010 with test_1\n');
  const second = suite(folder, 'sh', '-c', TESTS);
  await second.says('on 4020 with test_2\n');
  const third = suite(folder, 'sh', '-c', TESTS);
  await third.says(`  pid ${second.pid}: ${folder}\n`, 'stderr');
  expect(third.stderr).toContain(`  pid ${first.pid}: ${folder}\n`);
  expect(await second.end()).toMatchObject({ code: 0 });
  await third.says('on 4020 with test_2\n');
  for (const each of [first, third]) expect(await each.end()).toMatchObject({ code: 0 });
});

test('a suite whose wrapper was killed keeps its slot', async () => {
  const folder = testFolder();
  const killed = suite(folder, '--at-once', '1', 'sh', '-c', 'echo "tests $$."; exec sleep 60');
  await killed.says('.\n');
  const pid = Number(/tests (\d+)/.exec(killed.stdout)?.[1]);
  await killed.kill('SIGKILL');
  const next = suite(folder, '--at-once', '1', 'echo', 'mine');
  await next.says('waiting', 'stderr');
  expect(isAlive(pid)).toBe(true);
  expect(next.stdout).toBe('');
  process.kill(pid, 'SIGKILL');
  expect(await next.end()).toMatchObject({ code: 0, stdout: 'mine\n' });
});

test('the status of the tests is its own, and wrong words are 64', async () => {
  const folder = testFolder();
  expect(await suite(folder, 'sh', '-c', 'exit 3').end()).toMatchObject({ code: 3 });
  for (const words of [[], ['--at-once', '0', 'true'], ['--at-once', 'x', 'true']]) {
    expect(await suite(folder, ...words).end()).toMatchObject({ code: 64, stdout: '' });
  }
});
