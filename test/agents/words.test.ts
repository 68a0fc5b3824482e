import { spawnSync } from 'node:child_process';
import { describe, expect } from 'vitest';
import type { Seen } from '../../src/agents/claims-of-session.js';
import type { Session } from '../../src/agents/session.js';
import { mustClaim, otherHas } from '../../src/agents/words.js';
import { ownCommand } from '../../src/native/own-command.js';
import { needs } from '../support/tools.js';

const inBash = needs('bash');

const session = { parent: null, nameToGive: 'me' } as Session;

/** The words of the command that a refusal names, as bash reads them. */
function wordsOf(reason: string): string[] {
  const command = ownCommand();
  const line = reason.slice(reason.indexOf(command) + command.length).split(/ {2}\(|\n/)[0];
  const { stdout } = spawnSync('bash', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' });
  return stdout.split('\0').slice(0, -1);
}

describe('the command in a refusal has the path itself', () => {
  const paths = [
    `/r/${'deep/'.repeat(60)}a.ts`,
    "/r e/$(touch x)';a.ts",
    '/r/a\x1b[31m\n\u202eb.ts',
  ];
  for (const path of paths) {
    inBash(JSON.stringify(path.slice(0, 40)), () => {
      const seen = [{ path, matchedBy: null, owner: null }] as unknown as Seen[];
      expect(wordsOf(otherHas(session, seen, 0))).toContain(path);
      const reason = mustClaim(session, seen);
      expect(wordsOf(reason)).toEqual(['claim', 'add', '--agent', 'me', path]);
      expect(reason).not.toContain('\x1b');
      expect(reason).not.toContain('\u202e');
    });
  }
});
