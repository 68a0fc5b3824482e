import type { Page } from './page.js';
import { CONFLICT_CODE, EXIT_CANNOT_RUN, EXIT_INTERNAL, EXIT_USAGE, TIMES } from './shared.js';

export const page: Page = {
  name: 'run',
  summary: 'run a command while holding a lock',
  usage: [
    'run [options] FILE [--] COMMAND [ARGUMENT…]',
    "run [options] FILE -c 'SHELL COMMAND'",
    'run [options] URL [--] COMMAND [ARGUMENT…]',
    'run [options] NUMBER',
    'run --slots N [options] DIR [--] COMMAND [ARGUMENT…]',
  ],
  operands: 'command',
  description: [
    'Runs COMMAND while holding the lock on FILE, which is a file or a folder. Creates FILE and missing folders. With a URL, the lock is on a server: see below. The form with NUMBER locks that inherited descriptor, as flock(1) does. The last form lets N commands run at once.',
    TIMES,
    'If options contradict each other, the last one counts.',
    'COMMAND inherits the lock: if holdfast is killed, the lock stays until COMMAND has ended. What COMMAND leaves in the background inherits it as well, and keeps it, without a record, after COMMAND has ended; with -o it does not. holdfast passes SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 on to COMMAND. In the foreground of a terminal it does not pass on SIGINT and SIGQUIT: the keyboard sends them to COMMAND as well.',
    'Never delete or replace FILE while COMMAND runs: the lock is on the file, not on its path, so another command could lock the new file and run at the same time, as with flock(1). holdfast warns of that only with --instance, within a second; holdfast status shows only the new file.',
    'With --also, all locks are acquired in one order, so that such commands never wait for each other in a circle; -w is one time for all, and HOLDFAST_TOKEN is the token of the FILE before COMMAND. Not with -u, --instance, --slots, a URL or NUMBER: nest those.',
    'URL is one of these, with special characters in NAME as %XX:',
    [
      'postgres://[USER@]HOST[:PORT]/DATABASE[?loss=TIME&sslmode=…]#NAME',
      'etcd://HOST[:PORT][,HOST…]/NAME[?ttl=TIME]',
      'etcds://…                                      over TLS',
    ],
    'The environment has the password, and what the URL leaves out. PostgreSQL needs the package pg. With a URL there are no -F, -u, --instance and --data, and on etcd no -s. Other users of the server can read COMMAND.',
    'If the lock of a URL is lost, COMMAND gets SIGTERM and after 5 s SIGKILL: exit status 65. The server frees the lock of a host that has vanished after `loss` (30s, at least 9s) or `ttl` (20s, at least 18s). On PostgreSQL COMMAND inherits the connection, with which it could do what USER may; with -o it does not. On etcd COMMAND gets SIGKILL if holdfast is killed (on Linux), and the lock is free after `ttl`.',
    'As the first process of a container use -F, or an init (`docker run --init`): holdfast does not reap orphaned processes.',
    'It replaces flock(1) and differs on purpose: it exits with 75 instead of 1 and with 73 instead of 66; names the holder; passes signals on; creates missing folders; writes a record of the holder into FILE if that is empty or has such a record (a file with other content is left alone); refuses a FILE that is a symbolic link or a device, and a NUMBER that is neither a file nor a folder; does not accept abbreviated options and has no --fcntl; and prints messages to standard error.',
    'On Linux COMMAND inherits what holdfast has inherited: descriptors under their own numbers (the lock gets the lowest free one), arguments and environment byte by byte, the limit of open files. Under Node it cannot inherit:',
    [
      '- signals that the caller ignores or blocks: put nohup after FILE',
      '- closed standard streams: they become /dev/null',
      '- an eventfd or epoll below descriptor 16, and a pipe of which both',
      '  ends are open in holdfast only',
    ],
  ],
  options: [
    {
      title: 'Lock',
      options: [
        { flags: ['-x', '-e', '--exclusive'], text: 'one holder (the default)' },
        { flags: ['-s', '--shared'], text: 'any number of shared holders' },
        { flags: ['-u', '--unlock'], text: 'release the lock (of an inherited descriptor)' },
        {
          flags: ['--data'],
          value: 'KEY=VALUE',
          text: "add a field to the lock's record",
          repeatable: true,
        },
        {
          flags: ['--also'],
          value: 'FILE',
          text: 'hold the lock on this FILE as well',
          repeatable: true,
          completes: 'file',
        },
        {
          flags: ['--slots'],
          value: 'N',
          text: 'up to N (1 to 256) COMMANDs run at once, each with a slot of the folder DIR. Use the same N everywhere. Not with -s, -u, --instance, NUMBER or URL',
        },
      ],
    },
    {
      title: 'Wait',
      options: [
        {
          flags: ['-n', '--nb', '--nonblock', '--nonblocking'],
          text: 'do not wait: if the lock is held, exit with 75',
        },
        {
          flags: ['-w', '--wait', '--timeout'],
          value: 'TIME',
          text: 'wait at most TIME, then exit with 75; 0 is -n',
        },
        CONFLICT_CODE,
        {
          flags: ['-q', '--quiet'],
          text: 'no messages while waiting or when refused, for cron; errors are still reported',
        },
        { flags: ['--verbose'], text: 'print how long it took to acquire the lock' },
      ],
    },
    {
      title: 'Command',
      options: [
        {
          flags: ['-c', '--command'],
          value: 'CMD',
          text: 'after FILE: run CMD with $SHELL, or /bin/sh',
        },
        {
          flags: ['-o', '--close'],
          text: 'COMMAND does not inherit the lock, nor does what it leaves in the background',
        },
        {
          flags: ['-F', '--no-fork'],
          text: 'become COMMAND, which holds the lock itself; there is no record, so nobody sees since when. Not with -o or --data',
        },
      ],
    },
    {
      title: 'Run once',
      options: [
        {
          flags: ['--instance'],
          value: 'NAME',
          text: 'run NAME only once: without -w do not wait; print "another NAME is already running (pid N)"',
        },
        {
          flags: ['--terminate'],
          text: 'with --instance: end the running instance (SIGTERM, after 5 s SIGKILL) and take its place; only processes of the user who took the lock',
        },
        {
          flags: ['--uid'],
          value: 'N',
          text: 'with --terminate: end only processes of user N, no matter who took the lock',
        },
        {
          flags: ['--force'],
          text: 'with --instance: put a new lock in the place of the old one, whose holder keeps running',
        },
        {
          flags: ['--yes'],
          text: 'do not ask; without a terminal --force and --terminate need it',
        },
      ],
    },
  ],
  exits: [
    ['N', 'the status of COMMAND; 128+N if signal N ended it'],
    EXIT_USAGE,
    ['65', 'the lock failed, or was lost'],
    EXIT_CANNOT_RUN,
    EXIT_INTERNAL,
    ['73', 'FILE cannot be created or opened'],
    ['75', 'the lock is held, or the time is up (-E changes it)'],
  ],
  environment: [
    ['SHELL', 'runs the command of -c'],
    [
      'HOLDFAST_TOKEN',
      'set for COMMAND: a number that grows with every exclusive lock; receivers of what COMMAND sends can refuse a smaller one',
    ],
    ['HOLDFAST_SLOT', 'set for COMMAND of --slots: the number of its slot, from 1'],
    ['PGHOST, PGUSER, PGPASSWORD, PGPASSFILE, …', 'for a postgres URL, as for psql(1)'],
    [
      'ETCDCTL_ENDPOINTS, ETCDCTL_USER, ETCDCTL_PASSWORD, ETCDCTL_CACERT, ETCDCTL_CERT, ETCDCTL_KEY',
      'for an etcd URL, as for etcdctl; ETCDCTL_USER may be NAME:PASSWORD',
    ],
  ],
  examples: [
    {
      command: 'holdfast run -n deploy.lock ./deploy.sh',
      text: 'Run one deployment at a time; a second one is refused, and told who deploys.',
    },
    {
      command: 'holdfast run -w 30 build.lock -- make -j4',
      text: 'Wait at most 30 seconds for the others that build.',
    },
    {
      command: '*/5 * * * *  holdfast run -q -n /run/lock/report.lock /opt/report',
      text: 'In a crontab: skip a run while the last one still works, without a mail.',
    },
    {
      command: '(holdfast run -n 9 || exit; ./deploy.sh) 9>deploy.lock',
      text: 'Lock a descriptor of the shell, for several commands.',
    },
    {
      command: 'holdfast run --slots 4 jobs/ ./convert.sh',
      text: 'Convert at most four files at once, however many processes start it this way.',
    },
    {
      command: 'holdfast run --also b.lock a.lock ./transfer.sh',
      text: 'Hold two locks; another order elsewhere does no harm.',
    },
    {
      command: 'holdfast run --instance server server.lock ./server.sh',
      text: 'Start a server only once.',
    },
    {
      command: "holdfast run -n 'postgres://db/app#deploy' ./deploy.sh",
      text: 'Run one deployment at a time, on all machines that use this database.',
    },
  ],
  seeAlso: ['status', 'next-id', 'elect', 'flock(1)', 'flock(2)'],
};
