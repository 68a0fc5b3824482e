// The hosts that are run: how each is installed, set up and called.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PROMPT } from './model.mjs';

function write(file, content) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content, null, 2));
}

export const HOSTS = {
  codex: {
    package: '@openai/codex',
    version: '0.169.0',
    bin: 'codex',
    /** Its settings: the model on this port, no updates, no reports. */
    prepare(home, _project, port) {
      write(
        join(home, '.codex', 'config.toml'),
        [
          'model = "gpt-5.5"',
          'model_provider = "scripted"',
          'check_for_update_on_startup = false',
          '[analytics]',
          'enabled = false',
          '[model_providers.scripted]',
          'name = "scripted"',
          `base_url = "http://127.0.0.1:${port}/v1"`,
          'wire_api = "responses"',
          'request_max_retries = 0',
          'stream_max_retries = 0',
          '',
        ].join('\n'),
      );
    },
    env: () => ({}),
    args: [
      'exec',
      '--json',
      '--skip-git-repo-check',
      '--dangerously-bypass-approvals-and-sandbox',
      '--dangerously-bypass-hook-trust',
      PROMPT,
    ],
    /** A call that writes a new file. */
    writes: (path, text) => ({
      tool: 'apply_patch',
      isCustom: true,
      args: `*** Begin Patch\n*** Add File: ${path}\n+${text}\n*** End Patch\n`,
    }),
    /** A call that changes a file of one line. */
    rewrites: (path, before, after) => ({
      tool: 'apply_patch',
      isCustom: true,
      args: `*** Begin Patch\n*** Update File: ${path}\n@@\n-${before}\n+${after}\n*** End Patch\n`,
    }),
    // It may take 10 s; by default the model goes on sooner.
    runs: (command) => ({ tool: 'exec_command', args: { cmd: command, yield_time_ms: 30_000 } }),
    /** Calls that start sub-agents, each with its name as the prompt. They run at the same time. */
    spawns: (...names) => ({
      tools: names.map((message) => ({
        tool: 'spawn_agent',
        namespace: 'multi_agent_v1',
        args: { message },
      })),
    }),
    /** Settings with a hook of one's own. */
    hook: (home, command, timeout) =>
      write(join(home, '.codex', 'hooks.json'), {
        hooks: {
          PreToolUse: [
            { matcher: 'apply_patch|Edit|Write', hooks: [{ type: 'command', command, timeout }] },
          ],
        },
      }),
    event: 'PreToolUse',
  },
  gemini: {
    package: '@google/gemini-cli',
    version: '0.61.0',
    bin: 'gemini',
    settings: (more = {}) => ({
      security: { auth: { selectedType: 'gemini-api-key' } },
      privacy: { usageStatisticsEnabled: false },
      general: { enableAutoUpdate: false },
      ...more,
    }),
    prepare(home) {
      write(join(home, '.gemini', 'settings.json'), this.settings());
    },
    env: (port) => ({
      GEMINI_API_KEY: 'none',
      GOOGLE_GEMINI_BASE_URL: `http://127.0.0.1:${port}`,
    }),
    args: [
      '--yolo',
      '--skip-trust',
      '-m',
      'gemini-2.5-flash',
      '--output-format',
      'json',
      '-p',
      PROMPT,
    ],
    writes: (path, text) => ({
      tool: 'write_file',
      args: { file_path: path, content: `${text}\n` },
    }),
    runs: (command) => ({ tool: 'run_shell_command', args: { command } }),
    hook(home, command, timeout) {
      const hooks = [{ type: 'command', name: 'x', command, timeout: timeout * 1000 }];
      const BeforeTool = [{ matcher: 'write_file|replace', hooks }];
      write(join(home, '.gemini', 'settings.json'), this.settings({ hooks: { BeforeTool } }));
    },
    event: 'BeforeTool',
  },
  opencode: {
    package: 'opencode-ai',
    version: '1.18.33',
    bin: 'opencode',
    prepare(home, _project, port) {
      const folder = join(home, '.config', 'opencode');
      write(join(folder, 'opencode.json'), {
        autoupdate: false,
        share: 'disabled',
        model: 'scripted/scripted',
        small_model: 'scripted/scripted',
        provider: {
          scripted: {
            npm: '@ai-sdk/openai-compatible',
            options: { baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'none' },
            models: { scripted: { name: 'scripted', limit: { context: 100_000, output: 4000 } } },
          },
        },
      });
      // It installs this package for every plugin, and hangs where there is no network.
      const dependencies = { '@opencode-ai/plugin': '1.18.33' };
      mkdirSync(join(folder, 'node_modules'), { recursive: true });
      write(join(folder, 'package.json'), { dependencies });
      write(join(folder, 'package-lock.json'), {
        name: 'opencode',
        lockfileVersion: 3,
        requires: true,
        packages: { '': { dependencies } },
      });
    },
    env: () => ({ OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1' }),
    args: ['run', '--auto', '--format', 'json', PROMPT],
    writes: (path, text) => ({ tool: 'write', args: { filePath: path, content: `${text}\n` } }),
    rewrites: (path, _before, after) => ({
      tool: 'write',
      args: { filePath: path, content: `${after}\n` },
    }),
    runs: (command) => ({ tool: 'bash', args: { command, description: 'runs a command' } }),
    spawns: (...names) => ({
      tools: names.map((prompt) => ({
        tool: 'task',
        args: { description: prompt, prompt, subagent_type: 'general' },
      })),
    }),
    /** One process for several sessions. */
    serverArgs: ['serve', '--hostname', '127.0.0.1', '--port', '0'],
    /** Its window in a terminal, which listens as well. */
    terminalArgs: (port) => ['--hostname', '127.0.0.1', '--port', String(port)],
    // Its hooks are no commands.
    hook: null,
  },
};
