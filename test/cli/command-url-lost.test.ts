import { describe, expect } from 'vitest';
import { finish } from '../support/command.js';
import { hold, urlOf } from '../support/command-url.js';
import { isAlive } from '../support/kernel.js';
import { postgresOfFile } from '../support/postgres.js';
import { needs } from '../support/tools.js';

const server = postgresOfFile();
const test = needs('postgres');

describe('a lock that is lost', () => {
  const terminate = (): Promise<unknown> =>
    server().sql(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`);

  test('ends the command with SIGTERM, and is 65', async () => {
    const { url } = urlOf(server());
    const { holder, child } = await hold(url);
    await terminate();
    const { code, stderr } = await holder.exited;
    expect(isAlive(child)).toBe(false);
    expect({ code, lines: stderr.split('\n').length }).toEqual({ code: 65, lines: 2 });
    expect(stderr).toContain(`holdfast: ${url} was lost`);
    expect(stderr).toContain('; ending sh\n');
  });

  test('kills a command that does not heed SIGTERM, after five seconds', async () => {
    const { url } = urlOf(server());
    const script = 'trap "" TERM; echo "holds $$"; while :; do sleep 0.2; done';
    const { holder, child } = await hold(url, { command: ['sh', '-c', script] });
    const began = performance.now();
    await terminate();
    expect((await holder.exited).code).toBe(65);
    expect(performance.now() - began).toBeGreaterThan(4900);
    expect(isAlive(child)).toBe(false);
  });

  test('is 65 as well where the command ended at the same time', async () => {
    const { url } = urlOf(server());
    const psql = `PGOPTIONS= psql -X -q -A -t -h "$0" -p ${server().port} -U postgres -c`;
    const sql = `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`;
    const ran = await finish([
      'run',
      url,
      'sh',
      '-c',
      `${psql} "${sql}" >/dev/null`,
      server().folder,
    ]);
    expect(ran).toMatchObject({ code: 65, stderr: expect.stringContaining('was lost') });
  });
});
