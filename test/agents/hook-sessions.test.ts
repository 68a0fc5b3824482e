import { mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decide } from '../../src/agents/hook.js';
import { HOSTS } from '../../src/agents/hosts.js';
import { readInput } from '../../src/agents/input.js';
import { Claims } from '../../src/claims/claims.js';
import { testFolder } from '../support/folder.js';
import { git } from '../support/git.js';
import { Idle } from '../support/processes.js';
import { isMissing } from '../support/tools.js';

const onLinux = test.runIf(process.platform === 'linux' && !isMissing('git'));
const PASS = { kind: 'pass' };
const DENY = { kind: 'deny' };
const host = HOSTS['claude-code'];

/** A session of a host, in a process of its own. */
const session = (): Promise<Idle> => Idle.start('sleep', ['60'], { argv0: 'claude' });

class Setting {
  readonly root = join(realpathSync(testFolder()), 'repo');
  readonly claims: Claims;

  constructor() {
    mkdirSync(this.root);
    git(this.root, 'init', '-q');
    this.claims = new Claims(undefined, { root: this.root });
  }

  call(from: number, fields: object, agent?: string) {
    const text = JSON.stringify({ session_id: 's', cwd: this.root, ...fields });
    const given = { host, unclaimed: 'claim', directory: null, agent, from } as const;
    return decide(readInput(text, host), given);
  }

  write(from: number, path: string, { agent, subagent }: { agent?: string; subagent?: string }) {
    const tool = { tool_name: 'Write', tool_input: { file_path: path }, agent_id: subagent };
    return this.call(from, { hook_event_name: 'PreToolUse', ...tool }, agent);
  }

  stash(from: number, agent: string) {
    const tool = { tool_name: 'Bash', tool_input: { command: 'git stash' } };
    return this.call(from, { hook_event_name: 'PreToolUse', ...tool }, agent);
  }

  end(from: number, reason: string, agent?: string) {
    return this.call(from, { hook_event_name: 'SessionEnd', reason }, agent);
  }

  async has(): Promise<Record<string, string[]>> {
    const all = await this.claims.list();
    return Object.fromEntries(all.map(({ agent, files }) => [agent, files]));
  }
}

describe('one name that two sessions were given', () => {
  onLinux('is of the first one as long as that runs', async () => {
    const setting = new Setting();
    const [one, other] = [await session(), await session()];
    const given = { agent: 'tests' };
    expect(await setting.write(one.pid, 'x.ts', given)).toMatchObject(PASS);
    expect(await setting.write(one.pid, 'x.ts', given)).toMatchObject(PASS);
    for (const path of ['x.ts', 'y.ts']) {
      const refused = await setting.write(other.pid, path, given);
      expect(refused).toMatchObject({
        kind: 'deny',
        reason: expect.stringContaining('HOLDFAST_AGENT'),
      });
      const { reason } = refused as { reason: string };
      expect(reason).toContain(String(one.pid));
      expect(reason).not.toContain('force');
    }
    expect(await setting.stash(one.pid, 'tests')).toMatchObject(PASS);
    expect(await setting.stash(other.pid, 'tests')).toMatchObject(DENY);
    await one.kill();
    expect(await setting.write(other.pid, 'x.ts', given)).toMatchObject(PASS);
  });

  onLinux('is not the parent of the other one’s sub-agents', async () => {
    const setting = new Setting();
    const [one, other] = [await session(), await session()];
    const agent = 'tests';
    await setting.write(one.pid, 'x.ts', { agent });
    await setting.write(one.pid, 'y.ts', { agent, subagent: 's1' });
    for (const subagent of ['s1', 's2']) {
      expect(await setting.write(other.pid, 'x.ts', { agent, subagent })).toMatchObject(DENY);
      expect(await setting.write(other.pid, 'y.ts', { agent, subagent })).toMatchObject(DENY);
    }
    const end = { hook_event_name: 'SubagentStop', agent_id: 's1' };
    expect(await setting.call(other.pid, end, agent)).toMatchObject(PASS);
    expect(await setting.has()).toEqual({ tests: ['x.ts'], 'tests.s1': ['y.ts'] });
  });
});

describe('the end of a session that a host tells of', () => {
  onLinux('leaves what ends with its process, which may go on', async () => {
    const setting = new Setting();
    const one = await session();
    await setting.write(one.pid, 'x.ts', {});
    for (const reason of ['clear', 'resume', 'other']) {
      expect(await setting.end(one.pid, reason)).toMatchObject(PASS);
    }
    expect(await setting.has()).toEqual({ [`claude-code-${one.pid}`]: ['x.ts'] });
    await one.kill();
    expect(await setting.claims.list()).toMatchObject([{ state: 'orphaned' }]);
  });

  onLinux('leaves what is of another process, or was claimed by hand', async () => {
    const setting = new Setting();
    // As "claim run" does, in which this process runs.
    await setting.claims.claim({ agent: 'api', files: ['src'], session: { pid: process.pid } });
    await setting.claims.claim({ agent: 'me', files: ['a.ts'] });
    expect(await setting.write(1, 'b.ts', { agent: 'me' })).toMatchObject(PASS);
    expect(await setting.write(1, 'c.ts', { agent: 'auto' })).toMatchObject(PASS);
    for (const agent of ['api', 'me', 'auto']) {
      expect(await setting.end(1, 'other', agent)).toMatchObject(PASS);
    }
    expect(await setting.has()).toEqual({ api: ['src'], me: ['a.ts', 'b.ts'] });
  });
});
