import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { Claims } from '../../src/claims.js';
import { testFolder } from './folder.js';
import { errorOf } from './refused.js';

export function setUp(): { folder: string; claims: Claims } {
  const folder = testFolder();
  return { folder, claims: new Claims(join(folder, 'locks'), { root: folder }) };
}

/** All of these fail with that error, and create nothing. */
export async function refused(
  code: string,
  calls: (claims: Claims) => (() => unknown)[],
): Promise<void> {
  const { folder, claims } = setUp();
  for (const call of calls(claims)) {
    const error = await errorOf(call);
    expect(error).toMatchObject({ code });
    expect(error).toBeInstanceOf(code === 'ERR_OUT_OF_RANGE' ? RangeError : TypeError);
  }
  expect(readdirSync(folder)).toEqual([]);
}
