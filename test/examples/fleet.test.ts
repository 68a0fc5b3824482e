// @module-tag long
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { until } from '../support/census.js';
import { testFolder } from '../support/folder.js';
import { Program } from '../support/program.js';
import { needs } from '../support/tools.js';

const FLEET = fileURLToPath(new URL('../../examples/fleet/fleet.mjs', import.meta.url));
const ENGINES = ['postgres', 'etcd'] as const;

/** What it creates is in a folder of the test's own. */
function fleet(...args: string[]): { program: Program; folder: string } {
  const folder = testFolder();
  // PostgreSQL runs as another user.
  chmodSync(folder, 0o755);
  const env = { ...process.env, TMPDIR: folder };
  return { program: Program.start(process.execPath, [FLEET, ...args], { env }), folder };
}

/** The command lines of what is left of a run. */
function leftOf(folder: string): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    try {
      const line = /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : '';
      return line.includes(folder) ? [line.replaceAll('\0', ' ')] : [];
    } catch {
      return [];
    }
  });
}

function expectNothingLeft(folder: string): void {
  expect(leftOf(folder)).toEqual([]);
  expect(readdirSync(folder)).toEqual([]);
}

describe.each(ENGINES)('the fleet on %s', (engine) => {
  const onEngine = needs(engine);

  onEngine('runs the report once, and has one leader after the other', async () => {
    const { program, folder } = fleet(engine);
    const { code, stdout, stderr } = await program.exited;
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' });
    const [, one, other] = [
      ...(/^(host-\d) leads, token \d+$[\s\S]*^(host-\d) leads \d+ ms later/m.exec(stdout) ?? []),
    ];
    expect(one).not.toBe(other);
    const outcomes = [...stdout.matchAll(/^ {2}host-\d (.*)$/gm)].map(([, text = '']) => text);
    expect(outcomes.length).toBe(3);
    expect(outcomes.filter((text) => text === 'sent the report').length).toBe(1);
    for (const text of outcomes) {
      expect(text).toMatch(/^(?:sent the report|was done before|left it to .+, pid \d+)$/);
    }
    const tokens = [...stdout.matchAll(/token (\d+)$/gm)].map(([, token]) => Number(token));
    expect(tokens.length).toBe(2);
    expect(tokens[1]).toBeGreaterThan(tokens[0] ?? Infinity);
    expect(stdout).toMatch(/^reports that arrived: 1$/m);
    expect(stdout).toMatch(/^a late write of host-\d: refused$/m);
    expect(stdout).toMatch(/^\d+ lines, 0 of an earlier leader after a later one$/m);
    expectNothingLeft(folder);
  });

  // 1. While the server starts. 2. While the hosts work.
  for (const [when, text] of [
    ['at its start', ''],
    ['while it runs', ' leads, token '],
  ] as const) {
    onEngine(`CTRL-C ${when} leaves nothing behind`, async () => {
      const { program, folder } = fleet(engine);
      if (text === '') await until(() => leftOf(folder).length > 0);
      else await program.says(text);
      // As a terminal does, to the whole group.
      process.kill(-program.pid, 'SIGINT');
      expect(await program.exited).toMatchObject({ code: 130, stderr: '' });
      expectNothingLeft(folder);
    });
  }
});

describe('the fleet', () => {
  test.each([[], ['mysql'], ['postgres', 'etcd'], ['db.example']])(
    'wants one engine, or a URL: %j',
    async (...words) => {
      const { program, folder } = fleet(...words.flat());
      const { code, stderr } = await program.exited;
      expect(code).toBe(64);
      expect(stderr).toContain('usage: ');
      expectNothingLeft(folder);
    },
  );

  test('says what is missing, where there is no server', async () => {
    const folder = testFolder();
    const env = { ...process.env, PATH: folder, TMPDIR: folder };
    const program = Program.start(process.execPath, [FLEET, 'etcd'], { env });
    expect(await program.exited).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^fleet: error: etcd is missing: .*\n$/),
    });
    expectNothingLeft(folder);
  });
});
