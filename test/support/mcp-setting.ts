import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Claims } from '../../src/claims.js';
import { testFolder } from './folder.js';
import { McpClient } from './mcp-client.js';
import type { ServerSetting } from './mcp-host.js';

/** A tree, its claims, and clients of servers for them. */
export class McpSetting {
  readonly root = testFolder();
  readonly locks = join(this.root, 'locks');
  readonly claims = new Claims(this.locks, { root: this.root });

  constructor() {
    mkdirSync(join(this.root, 'src/lib'), { recursive: true });
    writeFileSync(join(this.root, 'src/a.ts'), '');
  }

  readonly client = ({ args = [], ...more }: Partial<ServerSetting> = {}): Promise<McpClient> => {
    const given = ['--dir', this.locks, '--root', this.root, ...args];
    return McpClient.start({ cwd: this.root, ...more, args: given });
  };

  readonly named = (name: string): Promise<McpClient> => this.client({ args: ['--agent', name] });

  readonly two = (): Promise<[McpClient, McpClient]> =>
    Promise.all([this.named('one'), this.named('other')]);
}
