import { spawnSync } from 'node:child_process';
import { type TestOptions, test } from 'vitest';

// What each tool is asked to do to show that it works here: it may be
// installed and yet forbidden (a container without ptrace or mounts).
const PROBES = {
  'g++': ['g++', '--version'],
  bash: ['bash', '-c', 'exec 63</dev/null'],
  cargo: ['cargo', '--version'],
  etcd: ['etcd', '--version'],
  etcdctl: ['etcdctl', 'version'],
  find: ['find', '--version'],
  fish: ['fish', '--version'],
  flock: ['flock', '--version'],
  git: ['git', '--version'],
  go: ['go', 'version'],
  ip: ['ip', 'netns', 'list'],
  jq: ['jq', '--version'],
  make: ['make', '--version'],
  man: ['man', '--version'],
  mandoc: ['sh', '-c', 'echo .TH X 1 2026-01-01 | mandoc'],
  openssl: ['openssl', 'version'],
  perl: ['perl', '-e', '1'],
  pgbouncer: ['pgbouncer', '--version'],
  // Debian keeps the programs of the server out of PATH.
  postgres: ['sh', '-c', 'ls /usr/lib/postgresql/*/bin/initdb || command -v initdb'],
  prlimit: ['prlimit', '--version'],
  psql: ['psql', '--version'],
  python3: ['python3', '-c', 'import fcntl'],
  // That of util-linux.
  script: ['script', '--version'],
  strace: ['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'inject=flock:error=ENOLCK', 'true'],
  sysctl: ['test', '-w', '/proc/sys/fs/protected_regular'],
  taskset: ['taskset', '--version'],
  zsh: ['zsh', '--version'],
  unshare: ['unshare', '-m', '--pid', '--fork', '--mount-proc', 'true'],
} as const;

/** `root`: not a tool, but what mounts, other users and sysctl need. */
export type Tool = keyof typeof PROBES | 'root';

const missing = new Map<Tool, boolean>();

/** Whether it does not work here. */
export function isMissing(tool: Tool): boolean {
  if (tool === 'root') return process.getuid?.() !== 0;
  let answer = missing.get(tool);
  if (answer === undefined) {
    const [command, ...args] = PROBES[tool];
    answer = spawnSync(command, args, { stdio: 'ignore', timeout: 10_000 }).status !== 0;
    missing.set(tool, answer);
  }
  return answer;
}

/** A user without rights, for tests that run as root. */
export const NOBODY = { uid: 65534, gid: 65534 };

type Body = () => void | Promise<void>;

interface Needing {
  (title: string, body: Body): void;
  (title: string, options: TestOptions, body: Body): void;
}

/**
 * `test` for what needs tools of the system: skipped where one of them does
 * not work, with the reason in the title. With HOLDFAST_TEST_NO_SKIP in the
 * environment (CI) it fails instead.
 */
export function needs(...tools: Tool[]): Needing {
  return (title, first, second?) => {
    const [options, body] = typeof first === 'function' ? [{}, first] : [first, second as Body];
    const absent = tools.filter(isMissing);
    if (absent.length === 0) return test(title, options, body);
    const reason = `needs ${absent.join(', ')}`;
    if ((process.env['HOLDFAST_TEST_NO_SKIP'] ?? '') === '') {
      return test.skip(`${title} [skipped: ${reason}]`, options, body);
    }
    return test(title, options, () => {
      throw new Error(`${reason}, and HOLDFAST_TEST_NO_SKIP forbids to skip`);
    });
  };
}
