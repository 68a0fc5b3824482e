import { readdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Section } from '../../src/claims/section.js';
import { testFolder } from '../support/folder.js';

test('whoever removes the folder begins with what is in it: the claim is tried again', async () => {
  const section = new Section(join(testFolder(), 'locks'));
  let tries = 0;
  const done = await section.exclusively(() => {
    tries++;
    const temporary = join(section.path, 'written');
    writeFileSync(temporary, '{}');
    // Somebody else did it; the folder itself is not gone yet.
    if (tries === 1) unlinkSync(temporary);
    renameSync(temporary, join(section.path, 'a.lock'));
    return readdirSync(section.path);
  });
  expect({ done, tries }).toEqual({ done: ['a.lock'], tries: 2 });
});

test('what is missing in a folder that is there stays an error of its own', async () => {
  const section = new Section(join(testFolder(), 'locks'));
  const body = (): void => renameSync(join(section.path, 'nothing'), join(section.path, 'a.lock'));
  await expect(section.exclusively(body)).rejects.toMatchObject({
    code: 'ENOENT',
    syscall: 'rename',
  });
});
