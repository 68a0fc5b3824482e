import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { testFolder } from '../support/folder.js';
import { runScript } from '../support/script.js';
import { needs } from '../support/tools.js';

const NEXT_ID = new URL('../../dist/next-id.js', import.meta.url).href;

describe('a folder of somebody else', () => {
  const call = `
    const { withNextId } = await import(${JSON.stringify(NEXT_ID)});
    let created = false;
    const result = await outcome(() => withNextId(path, () => { created = true; }));
    report({ ...result, created });`;
  const nobody = { uid: 65_534, gid: 65_534 };

  needs('root')('that is read-only: an error, and create is not called', async () => {
    const folder = join(testFolder(), 'ids');
    chmodSync(join(folder, '..'), 0o755);
    mkdirSync(folder, { mode: 0o755 });
    const { reports, code } = await runScript(folder, call, nobody);
    expect(code).toBe(0);
    expect(reports).toEqual([expect.objectContaining({ code: 'EACCES', created: false })]);
  });

  needs('root')('that cannot be made', async () => {
    const folder = testFolder();
    chmodSync(folder, 0o755);
    const { reports } = await runScript(join(folder, 'ids'), call, nobody);
    expect(reports).toEqual([
      expect.objectContaining({ code: 'EACCES', syscall: 'mkdir', created: false }),
    ]);
  });

  needs('root')('that may be written to, but not listed', async () => {
    const folder = join(testFolder(), 'ids');
    chmodSync(join(folder, '..'), 0o755);
    mkdirSync(folder);
    writeFileSync(join(folder, 'task-7'), '');
    chmodSync(folder, 0o733);
    const { reports } = await runScript(folder, call, nobody);
    expect(reports).toEqual([expect.objectContaining({ code: 'EACCES', created: false })]);
  });
});
