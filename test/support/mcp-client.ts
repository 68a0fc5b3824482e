import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { onTestFinished } from 'vitest';
import { COMMAND } from './command.js';
import type { ServerSetting, Tool, ToolResult } from './mcp-host.js';
import { within } from './remote.js';

interface Options {
  signal?: AbortSignal;
  onprogress?: (progress: Progress) => void;
}

export interface Progress {
  progress: number;
  total?: number | undefined;
  message?: string | undefined;
}

/**
 * The official client, in this process, which is therefore the session of every
 * server that it starts.
 */
export class McpClient {
  readonly #client: Client;
  #updates = 0;
  #wake = (): void => {};

  private constructor(revision: string | undefined) {
    const options =
      revision === undefined ? {} : { versionNegotiation: { mode: { pin: revision } } };
    this.#client = new Client({ name: 'test', version: '1.0.0' }, options);
  }

  /** `revision` of the protocol: default the newest that begins with `initialize`. */
  static async start(
    { cwd, args = [], env = {} }: ServerSetting,
    revision?: string,
  ): Promise<McpClient> {
    const one = new McpClient(revision);
    const server = { command: process.execPath, args: [COMMAND, 'mcp', ...args], cwd, env };
    const transport = new StdioClientTransport({ ...server, stderr: 'ignore' });
    one.#client.setNotificationHandler('notifications/resources/updated', () => {
      one.#updates++;
      one.#wake();
    });
    onTestFinished(() => one.#client.close());
    await one.#client.connect(transport);
    return one;
  }

  get instructions(): string {
    return this.#client.getInstructions() ?? '';
  }

  async tools(): Promise<Tool[]> {
    return (await this.#client.listTools()).tools as unknown as Tool[];
  }

  async tool(name: string, args: object = {}, options: Options = {}): Promise<ToolResult> {
    const call = { name, arguments: args as Record<string, unknown> };
    return (await this.#client.callTool(call, options)) as ToolResult;
  }

  /** A call that waits: resolves when it says so. `result` is the answer. */
  async waiting(
    name: string,
    args: object,
    options: Options = {},
  ): Promise<{ said: Progress; result: Promise<ToolResult> }> {
    let result!: Promise<ToolResult>;
    const said = new Promise<Progress>((resolve, reject) => {
      result = this.tool(name, args, { ...options, onprogress: resolve });
      result.then(() => reject(new Error('it did not wait')), reject);
    });
    return { said: await within(said, () => 'it says nothing'), result };
  }

  async resources(): Promise<{ uri: string }[]> {
    return (await this.#client.listResources()).resources;
  }

  async read(uri: string): Promise<string> {
    const [first] = (await this.#client.readResource({ uri })).contents;
    return (first as { text: string }).text;
  }

  async subscribe(uri: string): Promise<void> {
    await this.#client.subscribeResource({ uri });
  }

  /** The same since the revision 2026-07-28. */
  async listen(uri: string): Promise<void> {
    await this.#client.listen({ resourceSubscriptions: [uri] });
  }

  /** Resolves when it was told of a change since the last call. */
  async updated(): Promise<void> {
    const update = new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (this.#updates > 0) resolve();
    });
    await within(update, () => 'no update');
    this.#updates = 0;
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}
