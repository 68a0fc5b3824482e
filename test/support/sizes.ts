import { type TestOptions, test } from 'vitest';

/**
 * A test in two sizes. The short one shows the behaviour in `npm test`; the long
 * one has the tag `long`, and looks for what only many rounds find.
 */
export function inTwoSizes<S>(
  title: (size: S) => string,
  { short, long }: { short: S; long: S },
  body: (size: S) => unknown,
  // Another one where tools are needed.
  add: (title: string, options: TestOptions, body: () => Promise<void>) => void = test,
): void {
  add(title(short), {}, async () => {
    await body(short);
  });
  add(title(long), { tags: ['long'] }, async () => {
    await body(long);
  });
}
