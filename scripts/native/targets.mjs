// The platforms. Each one has `lacking` (what its build needs and this machine
// lacks), `build`, and `faults` (what is wrong with a built file).
import { darwin } from './darwin.mjs';
import { linux } from './linux.mjs';
import { win32 } from './win32.mjs';

export const TARGETS = {
  'linux-x64': linux('x64', {
    prefix: 'x86_64-linux-gnu-',
    debian: 'g++',
    machine: 'Advanced Micro Devices X86-64',
    page: 0x1000,
  }),
  'linux-arm64': linux('arm64', {
    prefix: 'aarch64-linux-gnu-',
    debian: 'g++-aarch64-linux-gnu',
    machine: 'AArch64',
    page: 0x10000,
  }),
  'linux-arm': linux('arm', {
    prefix: 'arm-linux-gnueabihf-',
    debian: 'g++-arm-linux-gnueabihf',
    machine: 'ARM',
    page: 0x1000,
  }),
  'win32-x64': win32,
  'darwin-x64': darwin('x64'),
  'darwin-arm64': darwin('arm64'),
};
