// What Holdfast may cost at most, in the order of the report. A budget is a
// ratio within one run wherever it can be, because that holds on any machine.
export const BUDGETS = [
  budget(
    'sync',
    1.4,
    '×',
    '`acquireSync` + `releaseSync`, no record, against the same system calls in C',
  ),
  budget(
    'syncJson',
    1.35,
    '×',
    '`acquireSync` + `releaseSync`, JSON record, file kept, against the same system calls in C',
  ),
  budget(
    'async',
    1.2,
    '×',
    '`await acquire` + `await release`, free lock, no record, against the sync pair',
  ),
  budget(
    'asyncJson',
    1.2,
    '×',
    '`await acquire` + `await release`, free lock, JSON record, against the sync pair',
  ),
  budget(
    'handoffOneCpu',
    0.9,
    '×',
    'handoff on one CPU, against fs-ext with a promise and the path compared',
  ),
  budget(
    'handoffTwoCpus',
    0.9,
    '×',
    'handoff on two CPUs, against fs-ext with a promise and the path compared',
  ),
  budget('handoffC', 5, '×', 'handoff on one CPU, no record, against C'),
  budget('handoffJsonC', 7, '×', 'handoff on one CPU, JSON record, against C'),
  budget('killed', 1.5, '×', 'handoff after SIGKILL of the holder, against a waiter in C'),
  budget(
    'pool',
    1.1,
    '×',
    '`fs.stat` while 100 waits are pending, `UV_THREADPOOL_SIZE=1`, against none pending',
  ),
  budget('cpuOnePath', 5, 'ms', 'CPU of 1,000 pending waits over 2 s, on one path'),
  budget('cpuManyPaths', 20, 'ms', 'CPU of 1,000 pending waits over 2 s, on 1,000 paths'),
  budget('memory', 64, 'KiB', 'memory of a pending wait (RSS)'),
  budget('import', 0.4, '×', "`import 'holdfast'`, against `require('proper-lockfile')`"),
  budget('firstLock', 0.25, '×', "the first lock after it, against `require('proper-lockfile')`"),
  budget(
    'claim',
    2.5,
    '×',
    'a claim of 20 beside 1,000 of 20, cold, against reading and parsing the same files in a fresh process',
  ),
  budget('plan', 0.6, '×', '`plan` of 200 × 50 with 3,000 conflicts, against 0.1.0'),
  budget('claimCheck', 1.6, '×', '`holdfast claim check` of one path, cold, against `node -e 0`'),
  budget(
    'hook',
    1.6,
    '×',
    'the hook before a write to a path that the agent has already, cold, against `node -e 0`',
  ),
  budget('run', 1.7, '×', '`holdfast run FILE true` against `node -e 0`'),
  budget(
    'stall',
    50,
    'ms',
    '1,000 waits on 1,000 paths that time out together: longest stall of the event loop',
  ),
  budget(
    'pgFar',
    2.2,
    '×',
    'PostgreSQL 10 ms away: `acquire` + `release` of a free lock, against `SELECT 1`',
  ),
  budget(
    'pgFarHandoff',
    1.5,
    '×',
    'PostgreSQL 10 ms away: from a release to the code of the waiter, against `SELECT 1`',
  ),
  budget(
    'pgNear',
    3.2,
    '×',
    'PostgreSQL on loopback: `acquire` + `release` of a free lock, against `SELECT 1`',
  ),
  budget(
    'pgKilled',
    10,
    '×',
    'PostgreSQL: from SIGKILL of the holder to the code of the waiter, against a connect',
  ),
  budget('pgLoss', 1500, 'ms', 'PostgreSQL: loss heard when the network swallows everything'),
  budget('etcdNear', 3, '×', 'etcd: `acquire` + `release` of a free lock, against a put'),
  budget('etcdHandoff', 6, '×', 'etcd: from a release to the code of the waiter, against a put'),
  budget('etcdKilled', 3, 's', 'etcd: from SIGKILL of the holder to the code of the waiter'),
];

function budget(id, most, unit, what) {
  return { id, most, unit, what };
}
