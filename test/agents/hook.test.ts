import { spawnSync } from 'node:child_process';
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect } from 'vitest';
import type { Decision } from '../../src/agents/answer.js';
import { setBypass } from '../../src/agents/bypass.js';
import { claimsFolderAt } from '../../src/agents/claims-of-session.js';
import { decide, type Unclaimed } from '../../src/agents/hook.js';
import { HOSTS } from '../../src/agents/hosts.js';
import { type HookInput, readInput } from '../../src/agents/input.js';
import { Claims } from '../../src/claims/claims.js';
import { testFolder } from '../support/folder.js';
import { needs } from '../support/tools.js';

const test = needs('git');

/** A repository in which agents write. They have no process: from pid 1 there is no host. */
class Repository {
  readonly root = join(realpathSync(testFolder()), 'repo');

  constructor() {
    mkdirSync(this.root);
    this.git('init', '-q', '-b', 'main');
    const who = ['-c', 'user.name=a', '-c', 'user.email=a@b'];
    this.git(...who, 'commit', '-q', '--allow-empty', '-m', 'x');
  }

  git(...args: string[]): void {
    const { status, stderr } = spawnSync('git', args, { cwd: this.root, encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  }

  get directory(): string {
    return claimsFolderAt(this.root, null) as string;
  }

  get claims(): Claims {
    return new Claims(this.directory, { root: this.root });
  }

  write(agent: string, path: string, given: { unclaimed?: Unclaimed; subagent?: string } = {}) {
    const input = this.input({
      hook_event_name: 'PreToolUse',
      tool_name: 'Write',
      tool_input: { file_path: path },
      agent_id: given.subagent,
    });
    return this.decide(agent, input, given.unclaimed);
  }

  shell(agent: string, command: string, cwd = this.root) {
    const input = {
      hook_event_name: 'PreToolUse',
      tool_name: 'Bash',
      tool_input: { command },
      cwd,
    };
    return this.decide(agent, this.input(input));
  }

  end(agent: string, event: string, subagent?: string) {
    return this.decide(agent, this.input({ hook_event_name: event, agent_id: subagent }));
  }

  input(fields: object): HookInput {
    const text = JSON.stringify({ session_id: 's', cwd: this.root, ...fields });
    return readInput(text, HOSTS['claude-code']);
  }

  decide(agent: string, input: HookInput, unclaimed: Unclaimed = 'claim'): Promise<Decision> {
    return decide(input, {
      host: HOSTS['claude-code'],
      unclaimed,
      directory: null,
      agent,
      from: 1,
    });
  }
}

const PASS = { kind: 'pass' };
const DENY = { kind: 'deny' };

describe('a write', () => {
  test('claims the file; another agent is refused, with the reason and what to do', async () => {
    const repository = new Repository();
    expect(await repository.write('a', 'src/x.ts')).toEqual({ kind: 'pass', notice: null });
    expect(await repository.write('a', 'src/x.ts')).toEqual({ kind: 'pass', notice: null });
    const refused = await repository.write('b', 'src/x.ts');
    expect(refused).toMatchObject(DENY);
    const { reason } = refused as { reason: string };
    expect(reason).toContain('claimed by a');
    expect(reason).toContain(`claim wait ${join(repository.root, 'src/x.ts')} -w `);
    expect(reason).toContain('"claim"');
    expect(await repository.write('b', 'src/y.ts')).toMatchObject(PASS);
  });

  test('adds to what the agent has', async () => {
    const repository = new Repository();
    for (const name of ['1', '2', '3']) await repository.write('a', name);
    for (const name of ['1', '2', '3'])
      expect(await repository.write('b', name)).toMatchObject(DENY);
  });

  test('a name with characters that are special in patterns is that file alone', async () => {
    const repository = new Repository();
    expect(await repository.write('a', 'app/[slug]/*?.tsx')).toMatchObject(PASS);
    expect(await repository.write('b', 'app/[slug]/*?.tsx')).toMatchObject(DENY);
    expect(await repository.write('b', 'app/[slug]/ab.tsx')).toMatchObject(PASS);
  });

  test('outside of a repository is not looked at', async () => {
    const repository = new Repository();
    const outside = join(dirname(repository.root), 'x.ts');
    expect(await repository.write('a', outside)).toEqual({ kind: 'pass', notice: null });
    expect(await repository.write('b', outside)).toEqual({ kind: 'pass', notice: null });
  });

  test('--unclaimed allow and deny', async () => {
    const repository = new Repository();
    const x = 'x.ts';
    expect(await repository.write('a', x, { unclaimed: 'deny' })).toMatchObject(DENY);
    expect(await repository.write('a', x, { unclaimed: 'allow' })).toMatchObject(PASS);
    expect(await repository.write('b', x, { unclaimed: 'claim' })).toMatchObject(PASS);
    expect(await repository.write('a', x, { unclaimed: 'allow' })).toMatchObject(DENY);
  });

  test('eight at once: one has the file', async () => {
    const repository = new Repository();
    const agents = Array.from({ length: 8 }, (_, at) => `agent-${at}`);
    const decisions = await Promise.all(agents.map((each) => repository.write(each, 'x.ts')));
    expect(decisions.filter(({ kind }) => kind === 'pass')).toHaveLength(1);
  });

  test('into the folder of the claims is for nobody', async () => {
    const repository = new Repository();
    const file = join(repository.directory, 'b.lock');
    expect(await repository.write('a', file)).toMatchObject(DENY);
    expect(await repository.shell('a', 'holdfast claim bypass 1h')).toMatchObject(DENY);
  });

  test('what is not understood is refused, with a way out', async () => {
    const repository = new Repository();
    const input = readInput('{', HOSTS['claude-code']);
    const decision = await repository.decide('a', input);
    expect(decision).toMatchObject({
      kind: 'deny',
      reason: expect.stringContaining('claim bypass'),
    });
  });

  test('claims that cannot be read are a refusal that names the way out', async () => {
    const repository = new Repository();
    mkdirSync(repository.directory, { recursive: true });
    writeFileSync(join(repository.directory, 'broken.lock'), '{');
    const decision = await repository.write('a', 'x.ts');
    expect(decision).toMatchObject({ kind: 'deny', reason: expect.stringContaining('set-aside') });
  });
});

describe('the end', () => {
  test('of a session frees what it had', async () => {
    const repository = new Repository();
    await repository.write('a', 'x.ts');
    expect(await repository.end('a', 'SessionEnd')).toMatchObject(PASS);
    expect(await repository.write('b', 'x.ts')).toMatchObject(PASS);
  });
});

describe('a sub-agent', () => {
  test('writes inside the scope of its session, and hands over what it has', async () => {
    const repository = new Repository();
    await repository.write('a', 'x.ts');
    expect(await repository.write('a', 'x.ts', { subagent: 'one' })).toMatchObject(PASS);
    expect(await repository.write('a', 'y.ts', { subagent: 'one' })).toMatchObject(PASS);
    // A sibling is another agent, the session itself is not.
    expect(await repository.write('a', 'y.ts', { subagent: 'two' })).toMatchObject(DENY);
    expect(await repository.write('a', 'y.ts')).toMatchObject(PASS);
    expect(await repository.write('b', 'y.ts')).toMatchObject(DENY);
    await repository.end('a', 'SubagentStop', 'one');
    expect(await repository.write('b', 'y.ts')).toMatchObject(DENY);
    expect(await repository.write('a', 'y.ts', { subagent: 'two' })).toMatchObject(PASS);
    await repository.end('a', 'SessionEnd');
    expect(await repository.claims.list()).toEqual([]);
  });
});

describe('a sub-agent where writes need a claim', () => {
  test('writes what its session has claimed, and nothing else', async () => {
    const repository = new Repository();
    const given = { unclaimed: 'deny', subagent: 'one' } as const;
    await repository.claims.claim({ agent: 'a', files: ['x.ts', 'y.ts'] });
    expect(await repository.write('a', 'x.ts', given)).toMatchObject(PASS);
    expect(await repository.write('a', 'y.ts', given)).toMatchObject(PASS);
    expect(await repository.write('a', 'z.ts', given)).toMatchObject(DENY);
    expect(await repository.write('a', 'y.ts', { ...given, subagent: 'two' })).toMatchObject(DENY);
  });
});

describe('tree-wide git', () => {
  test('is stopped while another has a claim', async () => {
    const repository = new Repository();
    expect(await repository.shell('b', 'git stash')).toMatchObject(PASS);
    await repository.write('a', 'x.ts');
    expect(await repository.shell('a', 'git stash')).toMatchObject(PASS);
    const refused = await repository.shell('b', 'npm test && git stash -u');
    expect(refused).toMatchObject({
      kind: 'deny',
      reason: expect.stringContaining('git stash -u'),
    });
    expect(await repository.shell('b', 'git stash push -- y.ts')).toMatchObject(PASS);
    expect(await repository.shell('b', 'git status')).toMatchObject(PASS);
  });
});

describe('git with paths', () => {
  const COMMANDS = [
    'git restore x.ts',
    'git checkout -- x.ts',
    'git checkout HEAD x.ts',
    'git checkout x.ts',
    'git stash push x.ts',
    'git clean -f x.ts',
    'git rm -f x.ts',
    'git checkout src',
    'git restore src',
    'cd src && git checkout .',
    'git restore y.ts; git restore x.ts',
  ];
  test('is stopped where another works, who is named; own ones pass, and nothing is claimed', async () => {
    const repository = new Repository();
    mkdirSync(join(repository.root, 'src'));
    for (const name of ['x.ts', 'y.ts', 'src/a.ts']) {
      writeFileSync(join(repository.root, name), '');
      if (name !== 'y.ts') await repository.write('a', name);
    }
    for (const command of COMMANDS) {
      const refused = await repository.shell('b', command);
      expect([command, refused]).toMatchObject([command, DENY]);
      const { reason } = refused as { reason: string };
      expect(reason).toContain('claimed by a');
      expect(reason).toContain('claim wait');
      expect([command, await repository.shell('a', command)]).toMatchObject([command, PASS]);
    }
    expect(await repository.shell('b', 'git restore y.ts')).toMatchObject(PASS);
    expect((await repository.claims.list()).map(({ agent }) => agent)).toEqual(['a']);
  });
});

describe('a patch in a shell line', () => {
  const patch = (path: string) =>
    `*** Begin Patch\n*** Update File: ${path}\n@@\n-a\n+b\n*** End Patch`;
  const COMMANDS = [
    `apply_patch <<'E'\n${patch('src/x.ts')}\nE`,
    `applypatch <<E\n${patch(' src/x.ts')}\nE`,
    `cd src && apply_patch <<'E'\n${patch('x.ts')}\nE`,
    `bash -lc "apply_patch <<'E'\n${patch('src/x.ts')}\nE"`,
    `apply_patch '${patch('src/x.ts')}'`,
    `cat <<'E' | apply_patch\n${patch('src/x.ts')}\nE`,
  ];
  test('is a write', async () => {
    const repository = new Repository();
    mkdirSync(join(repository.root, 'src'));
    await repository.write('a', 'src/x.ts');
    for (const [at, command] of COMMANDS.entries()) {
      const of = async (agent: string, line: string) => [line, await repository.shell(agent, line)];
      expect(await of('b', command)).toMatchObject([command, DENY]);
      expect(await of('a', command)).toMatchObject([command, PASS]);
      const own = command.replaceAll('x.ts', `z${at}.ts`);
      expect(await of('b', own)).toMatchObject([own, PASS]);
      expect(await of('a', own)).toMatchObject([own, DENY]);
    }
  });
});

describe('a bypass', () => {
  test('lets writes through, claims what it can, and is said', async () => {
    const repository = new Repository();
    await repository.write('a', 'x.ts');
    setBypass(repository.directory, 60_000);
    const passed = await repository.write('b', 'x.ts');
    expect(passed).toMatchObject({ kind: 'pass', notice: expect.stringContaining('claimed by a') });
    expect(await repository.write('b', 'y.ts')).toMatchObject(PASS);
    expect(await repository.shell('b', 'git stash')).toMatchObject(PASS);
    setBypass(repository.directory, 0);
    expect(await repository.write('b', 'x.ts')).toMatchObject(DENY);
    expect(await repository.write('a', 'y.ts')).toMatchObject(DENY);
  });

  test('that is no bypass is none', async () => {
    const repository = new Repository();
    await repository.write('a', 'x.ts');
    for (const text of ['', '{', '{"until":"x"}', '{"until":"2999-01-01T00:00:00Z"}']) {
      writeFileSync(join(repository.directory, '.holdfast-bypass'), text);
      expect(await repository.write('b', 'x.ts')).toMatchObject(DENY);
    }
  });
});
