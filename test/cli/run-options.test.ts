import { describe, expect, test } from 'vitest';
import { parseRun } from '../../src/cli/run-options.js';

describe('the words of run', () => {
  test.each<[string[], object]>([
    [['f', 'a', '-n'], { target: 'f', command: ['a', '-n'], timeout: Number.POSITIVE_INFINITY }],
    [['f', '--', '-a', '--'], { command: ['-a', '--'] }],
    [['--', '-f', 'a'], { target: '-f', command: ['a'] }],
    [['-sn', 'f', 'a'], { mode: 'shared', timeout: 0 }],
    [['-s', '-e', 'f', 'a'], { mode: 'exclusive' }],
    [['-x', '--shared', 'f', 'a'], { mode: 'shared' }],
    [['-w5', 'f', 'a'], { timeout: 5000 }],
    [['--wait=2', 'f', 'a'], { timeout: 2000 }],
    [['-w', '9', '--timeout', '1', 'f', 'a'], { timeout: 1000 }],
    [['-n', '-w', '9', 'f', 'a'], { timeout: 0 }],
    [['f', '-c', 'a b'], { command: ['SHELL', '-c', 'a b'] }],
    [['f', '--command', ''], { command: ['SHELL', '-c', ''] }],
    [['f', '-ca b'], { command: ['SHELL', '-c', 'a b'] }],
    [['f', '--command=a\nb'], { command: ['SHELL', '-c', 'a\nb'] }],
    [['9'], { target: 9, command: [] }],
    [['9', 'a'], { target: '9', command: ['a'] }],
    [['-E', '0', '-o', 'f', 'a'], { conflictCode: 0, close: true, inPlace: false }],
  ])('%j', (argv, options) => {
    expect(parseRun(argv, 'SHELL')).toMatchObject(options);
  });
});
