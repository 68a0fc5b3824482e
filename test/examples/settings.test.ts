import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { testFolder } from '../support/folder.js';
import { type End, Program } from '../support/program.js';

const inExample = (name: string): string =>
  fileURLToPath(new URL(`../../examples/settings/${name}`, import.meta.url));

function settings(...args: string[]): Promise<End> {
  return Program.start(process.execPath, [inExample('settings.mjs'), ...args]).exited;
}

describe('the settings example', () => {
  test('loses nothing, though one of its processes is killed', { tags: ['long'] }, async () => {
    const { code, stdout, stderr } = await Program.start(process.execPath, [inExample('storm.mjs')])
      .exited;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const name of ['editor', 'terminal', 'updater']) {
      expect(stdout).toContain(`${name}: said 25, in the file 25\n`);
    }
    const [, said, written] = /killed: said (\d+), in the file (\d+)/.exec(stdout) ?? [];
    expect(Number(written)).toBeGreaterThanOrEqual(Number(said));
    expect(stdout).toContain('lost: 0\nread without a lock: 5 keys\n');
    expect(stdout).toContain('files: settings.json, settings.json.lock\n');
  });

  test('sets keys from several processes at once', async () => {
    const file = join(testFolder(), 'app.json');
    const ends = await Promise.all(['a', 'b'].map((key) => settings(file, key, `of ${key}`)));
    expect(ends.map(({ stdout }) => stdout)).toEqual(['of a\n', 'of b\n']);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ a: 'of a', b: 'of b' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('says where a broken file is broken, and leaves it', async () => {
    const file = join(testFolder(), 'app.json');
    writeFileSync(file, '{\n  "a": 1,\n}\n');
    const { code, stderr } = await settings(file, 'a', '2');
    expect(code).toBe(1);
    expect(stderr).toContain(`settings: ${file} is not JSON (line 3, column 1)`);
    expect(readFileSync(file, 'utf8')).toBe('{\n  "a": 1,\n}\n');
  });
});
