import { readdirSync } from 'node:fs';
import type { Claim, ClaimOptions, Claims } from '../../src/claims.js';

/** Longer than any wait here. */
export const LONG = 20_000;

/** Starts to claim; resolves once it waits. */
export async function waiter(
  claims: Claims,
  agent: string,
  files: string[],
  options: ClaimOptions = {},
): Promise<{ granted: Promise<Claim> }> {
  let onWait = (): void => {};
  const waits = new Promise<void>((resolve) => {
    onWait = resolve;
  });
  const granted = claims.claim({ agent, files }, { timeout: LONG, ...options, onWait });
  await Promise.race([
    waits,
    granted.then(() => Promise.reject(new Error(`${agent} was granted without a wait`))),
  ]);
  return { granted };
}

export const wantsIn = (directory: string): string[] =>
  readdirSync(directory).filter((name) => name.endsWith('.want'));
