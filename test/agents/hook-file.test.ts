import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FileLock } from '../../src/lock/file-lock.js';
import { callIn } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { limit } from '../support/limit.js';
import { needs } from '../support/tools.js';

const HOOK = fileURLToPath(new URL('../../dist/hook.cjs', import.meta.url));
const withGit = needs('git');

function repository(): string {
  const root = join(realpathSync(testFolder()), 'repo');
  mkdirSync(root);
  expect(spawnSync('git', ['init', '-q', root]).status).toBe(0);
  return root;
}

function input(cwd: string, path = 'x.ts'): string {
  return JSON.stringify({
    session_id: 's',
    cwd,
    hook_event_name: 'PreToolUse',
    tool_name: 'Write',
    tool_input: { file_path: path },
  });
}

function run(text: string, ...args: string[]) {
  return spawnSync(process.execPath, [HOOK, '--for', 'claude-code', ...args], {
    input: text,
    encoding: 'utf8',
    timeout: 20_000,
  });
}

describe('the program that hosts run', () => {
  withGit('says nothing where nothing is in the way, and else why', () => {
    const root = repository();
    expect(run(input(root), '--agent', 'a')).toMatchObject({ status: 0, stdout: '', stderr: '' });
    const refused = run(input(root), '--agent', 'b');
    expect(refused).toMatchObject({ status: 2, stdout: '' });
    expect(refused.stderr).toContain('claimed by a');
  });

  withGit('refuses also with a Node that lacks process.getBuiltinModule', () => {
    const root = repository();
    expect(run(input(root), '--agent', 'a').status).toBe(0);
    const preload = join(testFolder(), 'preload.cjs');
    writeFileSync(preload, 'process.getBuiltinModule = undefined;');
    const args = ['--require', preload, HOOK, '--for', 'claude-code', '--agent', 'b'];
    const refused = spawnSync(process.execPath, args, { input: input(root), timeout: 20_000 });
    expect(refused.status).toBe(2);
  });

  withGit('refuses also where its working directory has been removed', () => {
    const root = repository();
    expect(run(input(root), '--agent', 'a').status).toBe(0);
    const script = 'cd "$0" && rmdir "$0" && exec "$@"';
    const fromGone = (text: string, ...args: string[]) => {
      const words = [process.execPath, HOOK, '--for', 'claude-code', ...args];
      const options = { input: text, encoding: 'utf8', timeout: 20_000 } as const;
      return spawnSync('sh', ['-c', script, testFolder(), ...words], options);
    };
    expect(fromGone(input(root), '--agent', 'b').status).toBe(2);
    expect(fromGone('not JSON').status).toBe(2);
  });

  withGit('answers before the time-out of its host while the claims are locked', () => {
    const root = repository();
    const directory = join(root, '.git', 'holdfast', 'claims');
    mkdirSync(directory, { recursive: true });
    const lock = FileLock.acquireSync(directory, { record: false });
    onTestFinished(() => lock.releaseSync());
    const began = Date.now();
    const late = run(input(root), '--agent', 'a', '--timeout', '2s');
    expect(Date.now() - began).toBeLessThan(limit(2000));
    expect(late).toMatchObject({ status: 2 });
    expect(late.stderr).toContain('holdfast doctor');
  });

  withGit('ends before the time-out of its host while it is busy itself', () => {
    const root = repository();
    const fields = JSON.parse(input(root));
    const command = Array.from({ length: 50_000 }, (_, at) => `git restore ${at}`).join('; ');
    Object.assign(fields, { tool_name: 'Bash', tool_input: { command } });
    const began = Date.now();
    const late = run(JSON.stringify(fields), '--agent', 'a', '--timeout', '2s');
    expect(Date.now() - began).toBeLessThan(limit(2000));
    // Which the installed line turns into a refusal.
    expect(late.status).not.toBe(0);
    expect(late.stderr).toContain('holdfast doctor');
  });

  withGit('does not wait for a host that does not close its input', async () => {
    const root = repository();
    const args = [HOOK, '--for', 'claude-code', '--agent', 'a'];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'ignore'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    child.stdin.write(input(root));
    const status = await new Promise((resolve) => child.once('exit', resolve));
    expect(status).toBe(0);
  });

  withGit('takes long input', () => {
    const root = repository();
    const fields = JSON.parse(input(root));
    fields.tool_input.content = '}'.repeat(1_000_000);
    expect(run(JSON.stringify(fields), '--agent', 'a')).toMatchObject({ status: 0 });
  });

  // A FIFO as a shell makes it, and the socket that Node gives its children.
  test.each([
    ['pipe', `(printf '{"session_id":"s",'; exec sleep 20) | "$0" "$@"`],
    ['socket', `exec "$0" "$@"`],
  ])('input that does not end is a refusal before the time-out: a %s', async (_, line) => {
    const args = [HOOK, '--for', 'claude-code', '--timeout', '2s'];
    const began = Date.now();
    const child = spawn('sh', ['-c', line, process.execPath, ...args], {
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: true,
    });
    onTestFinished(() => {
      try {
        process.kill(-(child.pid as number), 'SIGKILL');
      } catch {}
    });
    child.stdin.write('{"session_id":"s",');
    let said = '';
    const ended = new Promise((resolve) => {
      child.stderr.on('data', (chunk) => {
        said += chunk;
        if (said.includes('holdfast doctor')) resolve(null);
      });
      child.once('exit', resolve);
    });
    await ended;
    expect(Date.now() - began).toBeLessThan(limit(2000));
    expect(said).toContain('did not end within 2s');
  });

  test('input full of closing braces, in small pieces, is read in linear time', async () => {
    const text = JSON.stringify({
      session_id: 's',
      cwd: '/',
      hook_event_name: 'PreToolUse',
      tool_name: 'Write',
      tool_input: { file_path: '/x', content: '}'.repeat(45_000_000) },
    });
    const args = [HOOK, '--for', 'claude-code', '--agent', 'a', '--timeout', '12s'];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'ignore'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    child.stdin.on('error', () => {});
    child.stdin.write(text);
    const status = await new Promise((resolve) => child.once('exit', resolve));
    expect(status).toBe(0);
  });

  test('no input is a refusal', () => {
    expect(run('')).toMatchObject({ status: 2, stderr: expect.stringContaining('empty') });
  });

  test('a wrong call is never status 0', () => {
    for (const args of [[], ['--for', 'x'], ['--for', 'git'], ['--for', 'codex', '--x']]) {
      expect(spawnSync(process.execPath, [HOOK, ...args], { input: '' }).status).toBe(64);
    }
    expect(run('', '--timeout', 'x')).toMatchObject({ status: 64 });
    expect(run('', '--unclaimed', 'x')).toMatchObject({ status: 64 });
  });

  test('a probe shows that it loads', () => {
    expect(run('', '--probe')).toMatchObject({ status: 0, stdout: 'ok\n' });
  });
});

describe('holdfast claim bypass', () => {
  withGit('is for a person, and shown in every answer', async () => {
    const root = repository();
    const before = process.env['HOLDFAST_AGENT'];
    onTestFinished(() => {
      if (before === undefined) delete process.env['HOLDFAST_AGENT'];
      else process.env['HOLDFAST_AGENT'] = before;
    });
    process.env['HOLDFAST_AGENT'] = 'a';
    expect(await callIn(root, 'claim', 'bypass', '10m')).toMatchObject({ code: 75 });
    const bypass = join(root, '.git', 'holdfast', 'claims', '.holdfast-bypass');
    mkdirSync(join(bypass, '..'), { recursive: true });
    writeFileSync(bypass, JSON.stringify({ until: new Date(Date.now() + 60_000) }));
    const listed = await callIn(root, 'claim', 'list');
    expect(listed).toMatchObject({ code: 0, stderr: expect.stringContaining('bypass') });
  });
});

describe('holdfast claim install-hook', () => {
  withGit('prints what it would change, and refuses what it does not know', async () => {
    const root = repository();
    const dry = ['claim', 'install-hook', '--for', 'claude-code', '--dry-run'];
    expect(await callIn(root, ...dry)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(join(root, '.claude', 'settings.local.json')),
    });
    expect(await callIn(root, 'claim', 'install-hook', '--for', 'x')).toMatchObject({ code: 64 });
    expect(await callIn(root, 'claim', 'install-hook', '--for', 'git', '--user')).toMatchObject({
      code: 64,
    });
    mkdirSync(join(root, '.claude'));
    writeFileSync(join(root, '.claude', 'settings.local.json'), '// no JSON');
    const refused = await callIn(root, ...dry);
    expect(refused).toMatchObject({ code: 65, stdout: expect.stringContaining('+') });
  });
});
