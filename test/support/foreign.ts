import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { LockMode } from '../../src/index.js';
import { Program } from './program.js';

export type ForeignTool = 'flock' | 'python3' | 'perl' | 'go';
interface Wish {
  mode?: LockMode;
  wait?: boolean;
}

const PYTHON = `
import fcntl, sys
path, mode, wait = sys.argv[1:]
file = open(path, 'rb')
operation = fcntl.LOCK_EX if mode == 'exclusive' else fcntl.LOCK_SH
try:
    fcntl.flock(file, operation | (0 if wait == 'wait' else fcntl.LOCK_NB))
except BlockingIOError:
    print('refused', flush=True)
    sys.exit(1)
print('held', flush=True)
sys.stdin.read()`;

const PERL = `
use Fcntl ':flock';
my ($path, $mode, $wait) = @ARGV;
$| = 1;
open(my $file, '<', $path) or die;
my $operation = ($mode eq 'exclusive' ? LOCK_EX : LOCK_SH) | ($wait eq 'wait' ? 0 : LOCK_NB);
if (!flock($file, $operation)) { print "refused\\n"; exit 1; }
print "held\\n";
my @rest = <STDIN>;`;

// The signals of Go's own scheduler interrupt the call.
const GO = `
package main

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	operation := syscall.LOCK_SH
	if os.Args[2] == "exclusive" {
		operation = syscall.LOCK_EX
	}
	if os.Args[3] != "wait" {
		operation |= syscall.LOCK_NB
	}
	err = syscall.EINTR
	for err == syscall.EINTR {
		err = syscall.Flock(int(file.Fd()), operation)
	}
	if err == syscall.EWOULDBLOCK {
		fmt.Println("refused")
		os.Exit(1)
	}
	if err != nil {
		panic(err)
	}
	fmt.Println("held")
	io.ReadAll(os.Stdin)
}`;

let goProgram: string | undefined;

/** Built once for each file of tests; `forgetPrograms` removes it. */
function buildGo(): string {
  if (goProgram !== undefined) return goProgram;
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-go-'));
  writeFileSync(join(folder, 'main.go'), GO);
  const env = { ...process.env, GOCACHE: join(folder, 'cache'), GOENV: 'off', CGO_ENABLED: '0' };
  const args = ['build', '-o', 'lock', 'main.go'];
  execFileSync('go', args, { cwd: folder, env, timeout: 120_000 });
  goProgram = join(folder, 'lock');
  return goProgram;
}

/** Call after all tests of a file that uses `foreign`. */
export function forgetPrograms(): void {
  if (goProgram !== undefined) rmSync(dirname(goProgram), { recursive: true, force: true });
  goProgram = undefined;
}

/** Another program that locks the file, says "held" or "refused", and holds it until its stdin ends. */
export function foreign(
  tool: ForeignTool,
  path: string,
  { mode = 'exclusive', wait = false }: Wish = {},
): Program {
  const words = [path, mode, wait ? 'wait' : 'try'];
  if (tool === 'python3') return Program.start('python3', ['-c', PYTHON, ...words]);
  if (tool === 'perl') return Program.start('perl', ['-e', PERL, ...words]);
  if (tool === 'go') return Program.start(buildGo(), words);
  const flags = [mode === 'exclusive' ? '-x' : '-s', ...(wait ? [] : ['-n'])];
  // -F: it becomes the shell, so that there is one process to kill.
  const line = `flock -F ${flags.join(' ')} "$0" sh -c 'echo held; cat' || echo refused`;
  return wait
    ? Program.start('flock', ['-F', ...flags, path, 'sh', '-c', 'echo held; exec cat'])
    : Program.start('sh', ['-c', line, path]);
}
