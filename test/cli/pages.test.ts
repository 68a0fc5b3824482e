import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HOST_NAMES } from '../../src/agents/hosts.js';
import { OPTIONS as AGENTS } from '../../src/cli/claim-agents.js';
import { ACTIONS, AGENT_ACTIONS, COMMON } from '../../src/cli/claim-options.js';
import { OPTIONS as COMPLETION } from '../../src/cli/completion.js';
import { OPTIONS as DOCTOR } from '../../src/cli/doctor.js';
import { OPTIONS as ELECT, STATUS_OPTIONS } from '../../src/cli/elect.js';
import { SUBCOMMANDS } from '../../src/cli/main.js';
import { OPTIONS as MCP } from '../../src/cli/mcp.js';
import { OPTIONS as NEXT_ID } from '../../src/cli/next-id.js';
import { HOSTS, HOSTS_WITH_HOOK } from '../../src/cli/pages/claim-agents.js';
import { below, PAGES, pageOf } from '../../src/cli/pages/index.js';
import type { Page } from '../../src/cli/pages/page.js';
import { reference } from '../../src/cli/render/markdown.js';
import { helpText } from '../../src/cli/render/text.js';
import { OPTIONS as RUN } from '../../src/cli/run-options.js';
import { OPTIONS as STATUS } from '../../src/cli/status.js';
import { call, finish } from '../support/command.js';
import { ROOT, read } from '../support/docs-pages.js';

type Table = Record<string, { type: 'boolean' | 'string'; short?: string }>;

/** Of each page, what its parser takes. */
const TAKEN: Record<string, Table> = {
  '': {},
  // The parser finds it after FILE.
  run: { ...RUN, command: { type: 'string', short: 'c' } },
  status: STATUS,
  claim: {},
  mcp: MCP,
  'next-id': NEXT_ID,
  elect: ELECT,
  'elect status': STATUS_OPTIONS,
  doctor: DOCTOR,
  completion: COMPLETION,
  'claim install-hook': AGENTS['install-hook'],
  'claim bypass': AGENTS.bypass,
};
for (const [action, { options }] of Object.entries(ACTIONS)) {
  TAKEN[`claim ${action}`] = { ...options, ...COMMON };
}

const optionsOf = (page: Page) => page.options.flatMap(({ options }) => options);

describe('each page has the options that its parser takes, and no others', () => {
  test.each(Object.keys(TAKEN))('holdfast %s', (name) => {
    const page = pageOf(name) as Page;
    const taken: string[] = [];
    for (const [option, { type, short }] of Object.entries(TAKEN[name] as Table)) {
      if (option === 'help' || option === 'version') continue;
      if (option.length > 1) taken.push(`--${option} ${type}`);
      if (short !== undefined) taken.push(`-${short} ${type}`);
    }
    const said = optionsOf(page).flatMap(({ flags, value }) =>
      flags.map((flag) => `${flag} ${value === undefined ? 'boolean' : 'string'}`),
    );
    expect(said.sort()).toEqual(taken.sort());
  });

  test('holdfast claim hook, which has a parser of its own', async () => {
    const page = pageOf('claim hook') as Page;
    for (const { flags, value, choices } of optionsOf(page)) {
      const [flag = ''] = flags;
      if (value === undefined) continue;
      const { stderr } = await callHook(flag, choices?.[0] ?? '30s');
      expect(stderr, flag).not.toContain('unknown argument');
      expect((await callHook(`${flag}x`)).stderr).toContain(`unknown argument '${flag}x'`);
    }
  });
});

/** It writes through the descriptors, so a process of its own. */
function callHook(...words: string[]): Promise<{ stderr: string }> {
  return finish(['claim', 'hook', '--probe', ...words]);
}

describe('the pages', () => {
  test('are those of all subcommands and actions', () => {
    expect(
      below('')
        .map(({ name }) => name)
        .sort(),
    ).toEqual(Object.keys(SUBCOMMANDS).sort());
    const actions = [...Object.keys(ACTIONS), ...AGENT_ACTIONS].map((name) => `claim ${name}`);
    expect(
      below('claim')
        .map(({ name }) => name)
        .sort(),
    ).toEqual(actions.sort());
    expect(Object.keys(TAKEN).length + 1).toBe(PAGES.length);
  });

  test('name the hosts that there are', () => {
    expect(HOSTS).toEqual(HOST_NAMES);
    expect(HOSTS_WITH_HOOK).toEqual(HOST_NAMES.filter((name) => name !== 'git'));
  });

  test.each(PAGES.map((page) => [page.name, page] as const))('holdfast %s is whole', (_, page) => {
    expect(page.examples.length).toBeGreaterThan(0);
    expect(page.exits.length).toBeGreaterThan(0);
    expect(page.usage.every((form) => form.startsWith(page.name))).toBe(true);
    expect(page.summary).not.toMatch(/\.$/);
    const others = page.seeAlso.filter((name) => !/\(\d\)$/.test(name));
    expect(others.filter((name) => pageOf(name) === undefined)).toEqual([]);
    if (page.schema !== undefined) {
      expect(existsSync(join(ROOT, 'schemas', page.schema))).toBe(true);
    }
    const hasJson = optionsOf(page).some(({ flags }) => flags.includes('--json'));
    expect(page.schema !== undefined).toBe(hasJson);
  });

  test.each([40, 60, 80, 200])('fit a terminal of %d columns', (width) => {
    for (const page of PAGES) {
      const typed = new Set([
        ...page.examples.map(({ command }) => `  ${command}`),
        ...page.description.flatMap((block) =>
          typeof block === 'string' ? [] : block.map((line) => `  ${line}`),
        ),
      ]);
      const lines = helpText(page, { width, bold: false }).split('\n');
      const most = Math.min(width, 80);
      const longer = lines.filter((line) => line.length > most && !typed.has(line));
      // A word that is longer than what is left for it.
      expect(longer.filter((line) => line.trim().includes(' '))).toEqual([]);
    }
  });

  test('docs/command.md is made of them: npm run pages', () => {
    expect(read('docs/command.md')).toBe(reference());
  });

  test('are found by name, in the words that people try', async () => {
    const help = (await call('claim', 'add', '--help')).stdout;
    expect(help).toContain('Usage: holdfast claim add');
    for (const words of [
      ['help', 'claim', 'add'],
      ['claim', 'help', 'add'],
      ['claim', 'add', '-h'],
      ['claim', 'add', 'x', '--agent', 'a', '--help'],
    ]) {
      expect(await call(...words)).toEqual({ code: 0, stdout: help, stderr: '' });
    }
    expect((await call('claim', 'hook', '--help')).stdout).toContain('Usage: holdfast claim hook');
    expect((await call('elect', 'status', '-h')).stdout).toContain(
      'holdfast elect status [--json]',
    );
  });
});
