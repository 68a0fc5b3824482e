import { expect, test } from 'vitest';
import { silenceBehind } from '../../src/cli/refusal.js';
import { refusedBy, serverHolder } from '../../src/engines/this-process.js';
import { LockHeldError } from '../../src/index.js';

test('a refusal by a server has no cause, also where the holder has released since', () => {
  const holder = serverHolder({ pid: 1, hostname: 'a', command: null, since: null, self: false });
  for (const each of [null, holder]) {
    const error = refusedBy('deploy', each);
    expect(error).toMatchObject({ code: 'ERR_LOCK_HELD', path: 'deploy', holder: each });
    expect(error).not.toHaveProperty('cause');
    // Else the command would take it for a server that does not answer: 65 and not 75.
    expect(silenceBehind(error)).toBeUndefined();
  }
});

test('a refusal by the kernel has its answer', () => {
  expect(new LockHeldError('/x', null).cause).toMatchObject({ code: 'EWOULDBLOCK' });
});
