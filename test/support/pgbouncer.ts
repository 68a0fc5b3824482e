import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { freePort, ownUser, type PostgresServer } from './postgres-server.js';
import { within } from './remote.js';

/** A pooler in front of `server`, for one test; its URL. */
export async function pgbouncer(
  server: PostgresServer,
  mode: 'session' | 'transaction',
): Promise<string> {
  const port = await freePort();
  const file = join(server.folder, `pgbouncer-${port}.ini`);
  const target = `host=127.0.0.1 port=${server.port} dbname=postgres user=postgres`;
  const lines = [
    `[databases]`,
    `postgres = ${target}`,
    `[pgbouncer]`,
    `listen_addr = 127.0.0.1`,
    `listen_port = ${port}`,
    `unix_socket_dir =`,
    `auth_type = any`,
    `pool_mode = ${mode}`,
  ];
  writeFileSync(file, lines.join('\n'), { mode: 0o644 });
  const child = spawn('pgbouncer', [file], { ...ownUser(), stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  const ready = new Promise<void>((resolve) => {
    child.stderr.on('data', (piece) => {
      said += piece;
      if (said.includes('process up')) resolve();
    });
  });
  await within(ready, () => `pgbouncer did not start: ${said}`, 8000);
  return `postgres://postgres@127.0.0.1:${port}/postgres`;
}
