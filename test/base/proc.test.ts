import { expect, test } from 'vitest';
import { mountOf, parseMount, statFields } from '../../src/base/proc.js';

const ROOT = '36 35 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw';
const SHARE = '136 36 0:44 / /mnt/a\\040b rw,noexec - nfs4 host:/x rw,vers=4.2';

test('a line of mountinfo, with and without optional fields', () => {
  expect(parseMount(ROOT)).toEqual({
    major: 8,
    minor: 1,
    point: '/',
    options: ['rw', 'relatime'],
    type: 'ext4',
  });
  expect(parseMount(SHARE)).toMatchObject({ point: '/mnt/a b', type: 'nfs4', minor: 44 });
});

test.each(['', 'x', '36 35 8:1 /', '36 35 8 / / rw'])('%j is no mount', (line) => {
  expect(parseMount(line)).toBeNull();
});

test('the mount of a descriptor, by its whole number', () => {
  const table = `${SHARE}\n${ROOT}\n`;
  expect(mountOf('pos:\t0\nflags:\t02\nmnt_id:\t36\nino:\t7\n', table)).toMatchObject({ major: 8 });
  expect(mountOf('mnt_id:\t6\n', table)).toBeNull();
  expect(mountOf('pos:\t0\n', table)).toBeNull();
});

test('the fields after a name that holds brackets and blanks', () => {
  expect(statFields('7 (a) R 1) S 1 2 3').slice(0, 2)).toEqual(['S', '1']);
});
