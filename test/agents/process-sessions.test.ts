import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HOSTS } from '../../src/agents/hosts.js';
import { opencodeHooks } from '../../src/agents/opencode.js';
import { SessionsOfProcess, sessionsProcess } from '../../src/agents/process-sessions.js';
import { Claims } from '../../src/claims/claims.js';
import { testFolder } from '../support/folder.js';
import { git } from '../support/git.js';
import { Idle } from '../support/processes.js';
import { needs } from '../support/tools.js';

const onLinux = test.runIf(process.platform === 'linux');
const withGit = needs('git');

/** A process with sessions, which is this one, and a repository in which they write. */
class Setting {
  readonly root = join(realpathSync(testFolder()), 'repo');
  readonly claims: Claims;
  readonly #hooks: ReturnType<typeof opencodeHooks>;

  constructor({ serves = false } = {}) {
    mkdirSync(this.root);
    git(this.root, 'init', '-q');
    this.claims = new Claims(undefined, { root: this.root });
    const found = { name: 'app', isNamed: false, pid: serves ? null : process.pid };
    this.#hooks = opencodeHooks({ directory: this.root }, {}, new SessionsOfProcess(found));
  }

  /** `null`: it was written; else why not. */
  async write(sessionID: string, filePath: string): Promise<string | null> {
    const call = this.#hooks['tool.execute.before'](
      { tool: 'write', sessionID },
      { args: { filePath, content: '' } },
    );
    return call.then(
      () => null,
      ({ message }) => message,
    );
  }

  #event(type: string, properties: object): Promise<void> {
    return this.#hooks.event({ event: { type, properties } });
  }

  isBelow(id: string, parentID: string, type = 'session.created'): Promise<void> {
    return this.#event(type, { sessionID: id, info: { id, parentID } });
  }

  rests(sessionID: string): Promise<void> {
    return this.#event('session.idle', { sessionID });
  }

  remove(id: string): Promise<void> {
    return this.#event('session.deleted', { sessionID: id, info: { id } });
  }

  async has(): Promise<Record<string, string[]>> {
    const all = await this.claims.list();
    return Object.fromEntries(all.map(({ agent, files }) => [agent, files]));
  }
}

const REFUSED = 'another agent is working there';

describe('a process of opencode', () => {
  /** What is found for `opencode VERB`. */
  async function found(verb: string, given: string) {
    const cwd = testFolder();
    writeFileSync(join(cwd, verb), 'sleep 60; :');
    const { pid } = await Idle.start('sh', [verb], { argv0: 'opencode', cwd });
    return { pid, process: sessionsProcess(HOSTS.opencode, given, pid) };
  }

  onLinux('names its sessions, which end with it unless it is a server', async () => {
    const run = await found('run', '');
    expect(run.process).toEqual({ name: `opencode-${run.pid}`, isNamed: false, pid: run.pid });
    const server = await found('serve', 'web');
    expect(server.process).toEqual({ name: 'web', isNamed: true, pid: null });
  });
});

describe('sessions of a server', () => {
  withGit('are agents of their own, also while they rest, until they are removed', async () => {
    const setting = new Setting({ serves: true });
    expect(await setting.write('one', 'x.ts')).toBeNull();
    await setting.rests('one');
    const refused = await setting.write('two', 'x.ts');
    expect(refused).toContain(REFUSED);
    // What runs there cannot find out its session.
    expect(refused).toContain('claim wait --agent app.two ');
    expect(await setting.write('one', 'x.ts')).toBeNull();
    expect(await setting.has()).toEqual({ 'app.one': ['x.ts'] });
    await setting.remove('one');
    expect(await setting.write('two', 'x.ts')).toBeNull();
  });
});

describe('sessions of a process', () => {
  withGit('that follow each other are one agent', async () => {
    const setting = new Setting();
    expect(await setting.write('one', 'x.ts')).toBeNull();
    await setting.rests('one');
    expect(await setting.write('two', 'x.ts')).toBeNull();
    expect(await setting.has()).toEqual({ app: ['x.ts'] });
  });

  withGit('that work at the same time are two', async () => {
    const setting = new Setting();
    expect(await setting.write('one', 'x.ts')).toBeNull();
    const refused = await setting.write('two', 'x.ts');
    expect(refused).toContain('claim wait --agent app.two ');
    expect(await setting.write('two', 'y.ts')).toBeNull();
    expect(await setting.write('one', 'y.ts')).toContain(REFUSED);
    // Each has what the other one had when that one rests.
    await setting.rests('two');
    expect(await setting.write('one', 'y.ts')).toBeNull();
    expect(await setting.has()).toEqual({ app: ['x.ts', 'y.ts'] });
    expect(await setting.write('two', 'y.ts')).toContain(REFUSED);
    await setting.rests('one');
    expect(await setting.write('two', 'y.ts')).toBeNull();
    expect(await setting.write('three', 'y.ts')).toContain(REFUSED);
  });
});

describe('sub-agents', () => {
  withGit('are told apart, and hand over what they have when they rest', async () => {
    const setting = new Setting();
    await setting.isBelow('a', 'top');
    // Begun in another process, and resumed in this one.
    await setting.isBelow('b', 'top', 'session.updated');
    expect(await setting.write('top', 'x.ts')).toBeNull();
    expect(await setting.write('a', 'x.ts')).toBeNull();
    expect(await setting.write('a', 'y.ts')).toBeNull();
    for (const path of ['x.ts', 'y.ts']) {
      const refused = await setting.write('b', path);
      expect(refused).toContain(REFUSED);
      // That would claim for the session, which has it.
      expect(refused).not.toContain('claim wait');
    }
    // Not waited for, as opencode does not.
    const resting = setting.rests('a');
    expect(await setting.write('b', 'y.ts')).toBeNull();
    await resting;
    await setting.rests('b');
    expect(await setting.has()).toEqual({ app: ['x.ts', 'y.ts'] });
  });

  withGit('of sessions of a server are below them, and end with them', async () => {
    const setting = new Setting({ serves: true });
    await setting.isBelow('a', 'one');
    await setting.write('one', 'x.ts');
    expect(await setting.write('a', 'x.ts')).toBeNull();
    expect(await setting.write('two', 'x.ts')).toContain(REFUSED);
    await setting.remove('one');
    expect(await setting.has()).toEqual({});
  });

  withGit('that work keep the name of their session, which rests', async () => {
    const setting = new Setting();
    await setting.isBelow('a', 'one');
    await setting.write('one', 'x.ts');
    await setting.write('a', 'y.ts');
    await setting.rests('one');
    expect(await setting.write('two', 'x.ts')).toContain(REFUSED);
    await setting.rests('a');
    expect(await setting.write('two', 'x.ts')).toBeNull();
  });
});
