// @module-tag long
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attempt, installedProject, userEnvironment } from '../support/package-project.js';

const FOLDERS = ['.', 'packages/one', 'packages/one/src', 'packages', 'other', 'other/deep'];

describe('what a message names', () => {
  let project = '';
  let remove = (): void => {};

  beforeAll(() => {
    const installed = installedProject();
    project = realpathSync(installed.project);
    remove = installed.remove;
    writeFileSync(
      join(project, 'package.json'),
      '{"name":"project","private":true,"workspaces":["packages/*"]}',
    );
    for (const name of ['packages/one/src', 'other/deep']) {
      mkdirSync(join(project, name), { recursive: true });
    }
    for (const name of ['packages/one', 'other']) {
      writeFileSync(join(project, name, 'package.json'), '{"name":"x","version":"1.0.0"}');
    }
    attempt(project, 'git', ['init', '-q']);
  }, 180_000);
  afterAll(() => remove());

  /** Without what npm or the tests have added. */
  const path = (): string =>
    (userEnvironment()['PATH'] ?? '')
      .split(':')
      .filter((each) => !/node_modules|support.bin/.test(each))
      .join(':');

  test.each(FOLDERS)(
    'runs in %s of a workspace, and a path there is the same file',
    (name) => {
      const cwd = join(project, name);
      const env = { PATH: path(), npm_config_offline: 'true' };
      const shell = (line: string) => attempt(cwd, 'sh', ['-c', line], env);
      const direct = `node ${project}/node_modules/holdfast/dist/cli/holdfast.js`;
      const isDeep = /\/(src|deep)$/.test(name);
      // From there npx itself goes to the top of the workspace.
      for (const first of isDeep ? [direct] : [direct, 'npx holdfast']) {
        const { stderr } = shell(`${first} claim --nonsense`);
        const named = /[Ss]ee: (.*) claim --help/.exec(stderr)?.[1] ?? '';
        expect(named).toMatch(isDeep ? /^node / : /^npx holdfast$/);
        const { status, stdout } = shell(`${named} claim check --json x.ts`);
        expect(status).toBe(0);
        expect(JSON.parse(stdout)[0].path).toBe(join(name, 'x.ts'));
      }
    },
    60_000,
  );
});
