import { expect, onTestFinished } from 'vitest';
import { type EtcdLocker, type EtcdLockerOptions, etcdLocker } from '../../../src/etcd.js';
import { until } from '../../support/census.js';
import { type Etcd, type EtcdServer, etcdForTest, post } from '../../support/etcd-server.js';
import { needs } from '../../support/tools.js';

const test = needs('etcd');
const LONG = { tags: ['long'] };

function locker(etcd: Etcd, options: Partial<EtcdLockerOptions> = {}): EtcdLocker {
  const made = etcdLocker({ endpoints: etcd.endpoints, ttl: 6, ...options });
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}

interface Status {
  header: { member_id: string };
  leader: string;
}

async function leaderOf(etcd: Etcd): Promise<EtcdServer> {
  for (const member of etcd.members) {
    const answer = await post(member.endpoint, '/v3/maintenance/status', {});
    const { header, leader } = answer as unknown as Status;
    if (header.member_id === leader) return member;
  }
  throw new Error('no leader');
}

test('the leader of three is killed: what is held is kept, what waits is granted', async () => {
  const etcd = await etcdForTest(3);
  const [one, other] = [locker(etcd), locker(etcd)];
  const lock = await one.acquire('n');
  let waits = false;
  const granted = other.acquire('n', { onWait: () => (waits = true) });
  await until(() => waits);
  await (await leaderOf(etcd)).stop();
  await until(() => lock.check().then(() => true) ?? false);
  expect(lock.isCurrent()).toBe(true);
  await lock.release();
  const next = await granted;
  expect(next.token).toBeGreaterThan(lock.token);
  await next.release();
});

test('the member that answers is stopped, or killed: the others keep the lock', LONG, async () => {
  const etcd = await etcdForTest(3);
  for (const signal of ['SIGSTOP', 'SIGKILL'] as const) {
    const leader = await leaderOf(etcd);
    const follower = etcd.members.find((each) => each !== leader) as EtcdServer;
    const endpoints = [follower, ...etcd.members.filter((each) => each !== follower)].map(
      ({ endpoint }) => endpoint,
    );
    const one = locker(etcd, { endpoints });
    const lock = await one.acquire('n');
    follower.kill(signal);
    // Shows that nothing happens: without another member, it would be lost by then.
    await new Promise((resolve) => setTimeout(resolve, 4500));
    expect(lock.signal.aborted).toBe(false);
    await lock.check();
    expect(lock.isCurrent()).toBe(true);
    await lock.release();
    follower.kill('SIGCONT');
  }
});

test('endpoints without an answer are passed over', async () => {
  const etcd = await etcdForTest();
  const one = locker(etcd, {
    endpoints: ['127.0.0.1:1', 'nowhere.invalid:2379', ...etcd.endpoints],
  });
  await using lock = await one.acquire('n', { timeout: 0 });
  expect(lock.isCurrent()).toBe(true);
});

test('endpoints of two clusters are refused', async () => {
  const [one, other] = await Promise.all([etcdForTest(), etcdForTest()]);
  const both = locker(one, { endpoints: [...one.endpoints, ...other.endpoints] });
  await (await both.acquire('n')).release();
  await one.server.stop();
  await expect(both.acquire('n', { timeout: 5000 })).rejects.toMatchObject({
    code: 'ERR_LOCK_UNSUPPORTED',
    path: 'n',
  });
});
