import { describe, expect, test, vi } from 'vitest';

// As the module is on Windows, for the one thing that is compared here.
vi.mock('node:path', async (original) => ({ ...(await original<object>()), sep: '\\' }));
const { parsePattern, parsePatterns } = await import('../../src/claims/parse-pattern.js');
const { ROOT } = await import('../support/claims-patterns.js');

describe('on Windows', () => {
  const texts = (text: string): string[] =>
    parsePatterns(text, 'file', ROOT, 'it').map(({ pattern }) => pattern);

  test('a backslash separates, in patterns and in braces too', () => {
    expect(texts('src\\lib\\x.ts')).toEqual(['src/lib/x.ts']);
    expect(texts('src\\**\\*.ts')).toEqual(['src/**/*.ts']);
    expect(texts('src\\{a,b}\\x')).toEqual(['src/{a,b}/x', 'src/a/x', 'src/b/x']);
    expect(texts('src\\')).toEqual(['src/']);
  });

  test('a path with braces is among the readings of its pattern', () => {
    const path = parsePattern('src\\{a,b}.ts', 'file', ROOT, 'it', 'path');
    expect(path.pattern).toBe('src/{a,b}.ts');
    expect(texts(path.pattern)).toContain('src/{a,b}.ts');
  });
});
