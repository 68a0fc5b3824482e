import { expect, test } from 'vitest';
import { describeProcess, holderOf } from '../../../src/engines/etcd/describe.js';
import { base64, type Entry, hexOf, Keys } from '../../../src/engines/etcd/keys.js';

const LEASE = '7587862094572871234';
const key = (name: string, lease = LEASE): string => base64(`${name}/${hexOf(lease)}`);

test('a lease is written as etcdctl writes it, without losing a digit', () => {
  expect(hexOf(LEASE)).toBe('694d805f6faade42');
  expect(hexOf('255')).toBe('ff');
});

test('only keys that end in their own lease belong to the queue of a name', () => {
  const keys = new Keys('a');
  const found = [
    { key: key('a'), lease: LEASE, create_revision: '7', value: base64('x') },
    { key: key('a/b'), lease: LEASE, create_revision: '8' },
    { key: base64('a/ff'), lease: LEASE, create_revision: '9' },
    { key: base64('a/ff'), create_revision: '10' },
    { key: base64('a/'), lease: LEASE, create_revision: '11' },
    { key: base64('a/0ff'), lease: '255', create_revision: '12' },
    {},
  ];
  expect(keys.entries(found)).toEqual([
    { key: key('a'), lease: hexOf(LEASE), created: 7, value: 'x' },
  ]);
  expect(keys.entries()).toEqual([]);
});

test('the range of a name ends before its neighbours', () => {
  const { range } = new Keys('a');
  const text = (bytes: string): string => Buffer.from(bytes, 'base64').toString();
  expect([text(range.key), text(range.range_end)]).toEqual(['a/', 'a0']);
});

const HERE = { pid: 5, hostname: 'here', command: 'node x' };
const entry = (value: string): Entry => ({ key: '', lease: '1', created: 1, value });

test('what a process writes into its key is read by others', () => {
  const value = Buffer.from(describeProcess({ ...HERE, pid: 6 }), 'base64').toString();
  expect(holderOf(entry(value), false, HERE)).toMatchObject({
    pid: 6,
    hostname: 'here',
    command: 'node x',
    since: expect.any(Date),
    self: false,
    source: 'server',
  });
  expect(holderOf(entry(value), true, HERE).self).toBe(true);
  expect(holderOf(entry(value), false, { ...HERE, pid: 6 }).self).toBe(true);
});

test.each([
  '',
  'null',
  '[]',
  '4',
  '{',
  '{"pid":"5","host":7,"command":[],"since":1}',
  '{"pid":-5,"since":"yesterday"}',
  '{"pid":1e300}',
])('a value of somebody else, %j, says nothing', (value) => {
  expect(holderOf(entry(value), false, HERE)).toMatchObject({
    pid: null,
    hostname: null,
    command: null,
    since: null,
    self: false,
  });
});

test('a hostile value is one printable line', () => {
  const value = JSON.stringify({ pid: 1, host: 'a\u001b[2J\n', command: `x\n${'y'.repeat(9999)}` });
  const { hostname, command } = holderOf(entry(value), false, HERE);
  expect(hostname).toMatch(/^[ -~]+$/);
  expect(command?.length).toBe(200);
});
