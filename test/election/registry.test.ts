import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { until } from '../support/census.js';
import { testFolder } from '../support/folder.js';
import { queueOf } from '../support/kernel.js';
import { within } from '../support/remote.js';

const REGISTRY = fileURLToPath(new URL('../support/election-registry.mjs', import.meta.url));

describe('the registry in one shared file, and an election, on the same schedule', () => {
  interface Instance {
    id: string;
    ask<R = unknown>(step: string, value?: unknown): Promise<R>;
  }

  async function instance(directory: string, id: string, way: string): Promise<Instance> {
    const child = fork(REGISTRY, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    const answers = new Map<string, (value: unknown) => void>();
    const expectAnswer = <R>(step: string): Promise<R> =>
      within(
        new Promise<R>((resolve) => answers.set(step, resolve as (value: unknown) => void)),
        () => `${id}: no answer to ${step}`,
      );
    child.on('message', ({ step, value }: { step: string; value: unknown }) =>
      answers.get(step)?.(value),
    );
    await expectAnswer('ready');
    const ask = <R>(step: string, value?: unknown): Promise<R> => {
      const answer = expectAnswer<R>(step);
      child.send({ step, value });
      return answer;
    };
    await ask('begin', { directory, id, way });
    return { id, ask };
  }

  test('in the file the last writer wins: four are primary, and three of them are not in it', async () => {
    const directory = testFolder();
    const all = await Promise.all(
      ['a', 'b', 'c', 'd'].map((id) => instance(directory, id, 'shared')),
    );
    const seen = await Promise.all(all.map((each) => each.ask<string[]>('read')));
    expect(seen).toEqual([[], [], [], []]);
    const primaries: boolean[] = [];
    for (const each of all) primaries.push(await each.ask<boolean>('write'));
    expect(primaries).toEqual([true, true, true, true]);
    expect(await all[0]?.ask('look')).toEqual(['d']);
  });

  test('in the election one is primary, the smallest id, and all are members', async () => {
    const directory = testFolder();
    const all = await Promise.all(
      ['a', 'b', 'c', 'd'].map((id) => instance(directory, id, 'election')),
    );
    // The barrier: nobody goes on before everybody has read.
    await Promise.all(all.map((each) => each.ask('read')));
    await Promise.all(all.map((each) => each.ask('write')));
    const states = (): Promise<boolean[]> =>
      Promise.all(all.map((each) => each.ask<boolean>('isPrimary')));
    await until(async () => (await states()).includes(true));
    expect(await states()).toEqual([true, false, false, false]);
    for (const each of all) expect(await each.ask('look')).toEqual(['a', 'b', 'c', 'd']);
    await until(() => queueOf(directory) === 3);
    expect(await states()).toEqual([true, false, false, false]);
    await all[0]?.ask('leave');
    await until(async () => (await states()).includes(true));
    expect((await states()).filter((each) => each)).toHaveLength(1);
  });
});
