import { COMMAND } from './command.js';
import { forked, Remote } from './remote.js';

export interface ToolResult {
  content: { type: string; text: string }[];
  // biome-ignore lint/suspicious/noExplicitAny: each tool has its own fields.
  structuredContent?: any;
  isError?: boolean;
}

export interface Tool {
  name: string;
  description: string;
  inputSchema: { properties: Record<string, unknown>; required?: string[] };
  outputSchema: { properties: Record<string, unknown> };
  annotations: { readOnlyHint: boolean };
}

interface CallOptions {
  timeout?: number;
  /** Tells each progress as an event. */
  isWatched?: boolean;
}

export interface ServerSetting {
  /** The working directory of the server. */
  cwd: string;
  args?: string[];
  env?: Record<string, string>;
}

/** A real process that has started `holdfast mcp` as its child, as an agent's host does. */
export class McpHost extends Remote {
  /** Of the server. */
  serverPid = 0;

  static async start(setting: ServerSetting): Promise<McpHost> {
    const host = new McpHost(forked('mcp-host.mjs', { cwd: setting.cwd }));
    await host.event('ready');
    await host.connect(setting);
    return host;
  }

  /** Starts the server. */
  async connect({ cwd, args = [], env = {} }: ServerSetting): Promise<void> {
    const parameters = { command: process.execPath, args: [COMMAND, 'mcp', ...args], cwd, env };
    this.serverPid = await this.call<number>('connect', parameters);
  }

  tool(name: string, args: object = {}, options: CallOptions = {}): Promise<ToolResult> {
    return this.call('call', name, args, options);
  }
}

/** What the model reads. */
export function textOf({ content }: ToolResult): string {
  return content.map(({ text }) => text).join('\n');
}
