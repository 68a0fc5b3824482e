import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseClaimArguments } from '../../src/cli/claim-options.js';
import { OPTIONS as ELECT } from '../../src/cli/elect.js';
import { parseLeading, parseMixed } from '../../src/cli/options.js';
import { PAGES } from '../../src/cli/pages/index.js';
import { parseRun } from '../../src/cli/run-options.js';
import { OPTIONS as STATUS } from '../../src/cli/status.js';
import { COMMAND } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { repository } from '../support/git.js';
import { isMissing } from '../support/tools.js';

/** What an example takes for granted, and what it ends with; 0 by default. */
interface Setting {
  before?: string;
  status?: number;
  /** On standard error; nothing by default. */
  says?: RegExp;
  /** It is not run: the parser reads its words. */
  parse?: () => void;
}

const CLAIMED = 'holdfast claim add --agent api app/api/';
const SETTINGS: Record<string, Setting> = {
  '*/5 * * * *  holdfast run -q -n /run/lock/report.lock /opt/report': {
    parse: () => parseRun(['-q', '-n', '/run/lock/report.lock', '/opt/report'], ''),
  },
  "holdfast run -n 'postgres://db/app#deploy' ./deploy.sh": {
    parse: () => parseRun(['-n', 'postgres://db/app#deploy', './deploy.sh'], ''),
  },
  "holdfast elect 'etcd://etcd-1,etcd-2/scheduler' -- ./scheduler.sh": {
    parse: () =>
      parseLeading(['etcd://etcd-1,etcd-2/scheduler', '--', './scheduler.sh'], ELECT, ''),
  },
  'claude mcp add holdfast -- npx holdfast mcp': { parse: () => parseMixed([], {}, 'mcp') },
  '0 4 * * *  cd /srv/app && holdfast claim prune -q': {
    parse: () => parseClaimArguments(['prune', '-q']),
  },
  'holdfast claim watch': { parse: () => parseClaimArguments(['watch']) },
  'holdfast claim watch --json | jq --unbuffered -r \'select(.event == "died").agents[]\'': {
    parse: () => parseClaimArguments(['watch', '--json']),
  },
  'holdfast status locks/': { parse: () => parseMixed(['locks/'], STATUS, 'status') },
  'holdfast claim set-aside old.lock': {
    before:
      'mkdir -p claims; echo "{" > claims/old.lock; touch -d "1 hour ago" claims/old.lock; export HOLDFAST_CLAIMS=claims',
  },
  'holdfast claim renew --agent api --ttl 2h': { before: CLAIMED },
  'holdfast claim release --agent api': { before: CLAIMED },
  'holdfast claim release --agent api app/api/client.ts': {
    before: 'holdfast claim add --agent api app/api/client.ts package.json',
  },
  'holdfast claim plan plan.json': { status: 75 },
  'holdfast claim install-hook --for git': { says: /git commit --no-verify/ },
  'holdfast claim install-hook --for claude-code --dry-run': { says: /nothing was changed/ },
};

function place(): { folder: string; env: NodeJS.ProcessEnv } {
  const folder = testFolder();
  repository(folder, 'package.json');
  const bin = join(folder, 'bin');
  for (const name of ['bin', 'home', 'tickets', 'migrations', 'locks', 'run'])
    mkdirSync(join(folder, name));
  const script = (name: string, text: string): void =>
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  for (const name of ['deploy.sh', 'server.sh', 'scheduler.sh', 'convert.sh', 'transfer.sh'])
    script(name, 'echo done');
  for (const name of ['make', 'npm', 'claude']) script(`bin/${name}`, 'echo done');
  script('bin/holdfast', `exec '${process.execPath}' '${COMMAND}' "$@"`);
  const plan = [
    { agent: 'api', directories: ['app/api'] },
    { agent: 'tests', files: ['**/*.test.ts'] },
  ];
  writeFileSync(join(folder, 'plan.json'), JSON.stringify(plan));
  const { HOLDFAST_AGENT: _agent, HOLDFAST_CLAIMS: _claims, ...rest } = process.env;
  return {
    folder,
    env: { ...rest, PATH: `${bin}:${process.env['PATH']}`, HOME: join(folder, 'home') },
  };
}

const EXAMPLES = new Map(
  PAGES.flatMap(({ name, examples }) =>
    examples.map(({ command }) => [command, `holdfast ${name}`] as const),
  ),
);

describe('the examples of the pages run', () => {
  for (const [command, page] of EXAMPLES) {
    const { before = '', status = 0, says = /^$/, parse } = SETTINGS[command] ?? {};
    if (parse !== undefined) {
      test(`${page}: ${command} is read`, () => expect(parse).not.toThrow());
      continue;
    }
    const lacks = command.includes('| jq') && isMissing('jq');
    test.skipIf(lacks)(`${page}: ${command}${lacks ? ' [skipped: needs jq]' : ''}`, () => {
      const { folder, env } = place();
      // What is one for all of a machine is in the folder here.
      const here = command.replace(/\/run\/|\/mnt\/shared/g, (path) =>
        path === '/run/' ? 'run/' : 'run',
      );
      const options = { cwd: folder, env, encoding: 'utf8', timeout: 20_000 } as const;
      const { stderr, ...ended } = spawnSync('sh', ['-c', `${before}\n${here}`], options);
      expect({ status: ended.status, stderr }).toEqual({
        status,
        stderr: expect.stringMatching(says),
      });
    });
  }

  test('no setting is left over', () => {
    expect(Object.keys(SETTINGS).filter((command) => !EXAMPLES.has(command))).toEqual([]);
  });
});
