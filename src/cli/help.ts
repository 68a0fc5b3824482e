export const MAIN_HELP = `Usage: holdfast COMMAND …

File locks that the kernel releases when the process dies: flock(2).

Commands:
  run [options] FILE [--] COMMAND…   run COMMAND while holding the lock on FILE,
                                     or on one of PostgreSQL or etcd
  status PATH…                       who holds a lock, who waits, since when
  claim add|check|list|…             which of several agents may change what
  mcp                                claims as the tools of an agent, by MCP
  next-id DIR [COMMAND…]             a number that nobody else gets
  elect DIR COMMAND…                 one of several runs it, the others stand by
  doctor DIR                         test whether locks work in this folder

  holdfast COMMAND --help            more about one of them
  holdfast --version

Exit status 74: standard output cannot be written to. 141: its reader is gone.
`;

export const RUN_HELP = `Usage: holdfast run [options] FILE [--] COMMAND [ARGUMENT…]
       holdfast run [options] FILE -c 'SHELL COMMAND'
       holdfast run [options] URL [--] COMMAND [ARGUMENT…]
       holdfast run [options] NUMBER
       holdfast run --slots N [options] DIR [--] COMMAND [ARGUMENT…]

Runs COMMAND while holding the lock on FILE, which is a file or a folder. A
missing file and missing folders are created. With a URL, the lock is one of a
server: see below. The form with NUMBER locks that inherited descriptor, as in:
(holdfast run -n 9 || exit; …) 9>FILE
The last form lets N run at once.

  -x, -e, --exclusive           one holder (the default)
  -s, --shared                  any number of shared holders
  -n, --nonblock                do not wait: if the lock is held, exit with 75
  -w, --timeout TIME            wait at most TIME, then exit with 75
                                (30 or 1.5 are seconds; 500ms, 10m, 1h); 0 is -n
  -E, --conflict-exit-code N    exit with N (0 to 255) instead of 75
  -o, --close                   COMMAND does not inherit the lock
  -F, --no-fork                 become COMMAND, which holds the lock itself
  -c, --command CMD             after FILE: run CMD with $SHELL, or /bin/sh
  -u, --unlock                  release the lock (of an inherited descriptor)
  -q, --quiet                   no messages while waiting or when refused, for
                                cron; errors are still reported
      --verbose                 print how long it took to acquire the lock
      --data KEY=VALUE          add a field to the lock's record; repeatable
      --also FILE               hold the lock on this FILE as well; repeatable

  --slots N                     up to N (1 to 256) COMMANDs run at once, each with
                                a slot of the folder DIR: HOLDFAST_SLOT is its
                                number, from 1. Name the same N everywhere. Not
                                with -s, -u, --instance, NUMBER or URL

  --instance NAME               run NAME only once: without -w do not wait;
                                print "another NAME is already running (pid N)"
  --terminate                   with --instance: end the running instance
                                (SIGTERM, after 5 s SIGKILL) and take its place;
                                only processes of the user who took the lock
  --uid N                       with --terminate: end only processes of user N,
                                no matter who took the lock
  --force                       with --instance: put a new lock in the place of
                                the old one, whose holder keeps running
  --yes                         do not ask; without a terminal --force and
                                --terminate need it
  -h, --help

Of contradicting options the last one counts.

COMMAND inherits the lock: if holdfast is killed, the lock stays until COMMAND
has ended. HOLDFAST_TOKEN is set to a number that grows with every exclusive
lock: receivers of what COMMAND sends can refuse a smaller one. SIGINT, SIGTERM,
SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 are passed on to COMMAND. In the foreground
of a terminal, SIGINT and SIGQUIT are not: the keyboard sends them to COMMAND as
well.
With --also, all locks are acquired in one order, so that such commands never
wait for each other in a circle; -w is one time for all. HOLDFAST_TOKEN is that
of the last FILE. Not with -u, --instance, a URL or NUMBER: nest those.

URL is one of these, with what is special in NAME as %XX:

  postgres://[USER@]HOST[:PORT]/DATABASE[?loss=TIME&sslmode=…]#NAME
  etcd://HOST[:PORT][,HOST…]/NAME[?ttl=TIME]       etcds:// is over TLS

What is left out of it, and the password, comes from the environment: PGHOST,
PGUSER, PGPASSWORD, PGPASSFILE and so on; ETCDCTL_ENDPOINTS, ETCDCTL_USER
(NAME:PASSWORD), ETCDCTL_PASSWORD, ETCDCTL_CACERT, ETCDCTL_CERT, ETCDCTL_KEY.
PostgreSQL needs the package pg. For a URL there are no -F, -u, --instance and
--data, and on etcd no -s. Other users of the server can read COMMAND.

If the lock is lost, COMMAND gets SIGTERM and after 5 s SIGKILL: exit status 65.
The server frees the lock of a host that has vanished after loss (30s, at least
9s) or ttl (20s, at least 18s). On PostgreSQL COMMAND inherits the connection,
with which it could do what USER may; with -o it does not. On etcd COMMAND gets
SIGKILL if holdfast is killed (on Linux), and the lock is free after ttl.

Exit status: that of COMMAND; 128+N if signal N ended it; 75 the lock is held,
or the time is up; 64 wrong usage; 65 the lock failed or was lost; 69 COMMAND
cannot be run; 70 internal error; 73 FILE cannot be created or opened.

As the first process of a container use -F, or an init (docker run --init):
holdfast does not reap orphaned processes.

It replaces flock(1) and differs on purpose: it exits with 75 instead of 1 and
with 73 instead of 66; names the holder; passes signals on; creates missing
folders; writes a record of the holder into FILE if that is empty or has such a
record (a file with other content is left alone); refuses a FILE that is a
symlink or a device; does not accept abbreviated options; and prints messages to
stderr.

On Linux COMMAND inherits what holdfast has inherited: descriptors under their
own numbers (the lock gets the lowest free one), arguments and environment byte
by byte, the limit of open files. Under Node it cannot inherit:
  - signals that the caller ignores or blocks: put nohup after FILE
  - closed standard streams: they become /dev/null
  - an eventfd or epoll below descriptor 16, and a pipe of which both ends are
    open in holdfast only
`;

export const STATUS_HELP = `Usage: holdfast status [options] PATH|URL…

Shows who holds the lock on PATH, who waits, and since when. For a folder it
shows every lock file in it. URL is a lock of a server: holdfast run --help

  --json     print an array of statuses; with --watch, one array in each line
  --watch    print again at every change, until interrupted
  --probe    if the system does not show the holder, try the lock for a moment;
             of a URL, the server shows it anyway
  -h, --help

States: held, held (shared); free; free, not released (the last holder died);
missing; unknown (the holder may be out of sight: see --probe).

Exit status: 0 whatever the state; 64 wrong usage; 65 a PATH cannot be
inspected.
`;

export const CLAIM_HELP = `Usage: holdfast claim add [options] PATH…      claim files and folders
       holdfast claim wait [options] PATH…     claim them when it is your turn
       holdfast claim run [options] PATH… -- COMMAND…
                                               claim, run COMMAND, release
       holdfast claim check [options] PATH…    show whose each PATH is
       holdfast claim list                     show all claims, and who waits
       holdfast claim watch                    the same, whenever it changes
       holdfast claim renew [--ttl TIME]       extend the agent's claim
       holdfast claim release [PATH…]          give up the claim, or PATHs of it
       holdfast claim clear [--force]          give up all claims
       holdfast claim prune                    remove expired and orphaned ones
       holdfast claim set-aside FILE           rename a file that is not a valid
                                               claim, so that it blocks nobody
       holdfast claim audit                    find overlaps from manual edits
       holdfast claim plan FILE|-              who can work at the same time
       holdfast claim guard --staged           for a git pre-commit hook
       holdfast claim install-hook --for HOST  agents claim what they write
       holdfast claim bypass TIME              let agents pass for a time

The last two have options of their own: holdfast claim install-hook --help

Several agents work on one tree. Each claims what it will change, and a claim
that overlaps with another agent's is refused. The claims are files in a folder.

      --dir DIR            the folder with the claims (or HOLDFAST_CLAIMS); by
                           default one in the .git of each PATH's repository.
                           A relative one is below the main working tree
      --agent NAME         whose claim it is (or HOLDFAST_AGENT); below a
                           program that runs agents, its name and pid
      --root DIR           what claims are relative to: by default the git top
                           level of the folder with the claims, else of the
                           working directory
      --json               for programs: list, watch, check, plan, audit, add,
                           wait, prune
  -h, --help

 add, run: PATH may be a pattern (* within a name, ** for folders, ? for a
 character, {a,b} for either; everything else is literal, \\ escapes). A PATH is
 claimed with everything below it. What the agent has claimed before stays.
      --except PATTERN     but not this; repeatable
      --task TEXT          what the claim is for
      --replace            give up what the agent has claimed before
      --ttl TIME           time until it expires; 1h (30 is seconds; 10m, 2d)
  -w, --timeout TIME       wait at most TIME for overlaps to be released
      --session PID        add: the claim ends with this process, and not before
      --force              take a name that another session or process has
      --ignore-invalid     ignore files that are not valid claims; check too
  -q, --quiet              print only errors; check too

wait: as add, but without -w there is no end to the wait. Those who wait for
the same are served in order. Where the folder cannot be written to, it waits
until the paths are free, and claims nothing.

run: COMMAND gets HOLDFAST_AGENT and, if a folder was given, its absolute path
in HOLDFAST_CLAIMS. The claim ends with it, even if holdfast is killed. Signals
are passed on to it, as by holdfast run.

check, run:
      --strict             check: also refuse what nobody has claimed
  -E, --conflict-exit-code N   exit with N (0 to 255) instead of 75

 release, clear:
      --force              also a claim of another session or process

plan reads a JSON array of {"agent", "files", "directories", "except",
"task_description"}. With --dir, it includes the existing claims.

A PATH is the same file in each working tree of its repository; symbolic links
are followed. It is relative to the working directory; with --dir, to the root
if the working directory is outside of all its working trees; in plan always to
the root. check calls a PATH that the claims are not about "outside", which is
no refusal.

Exit status: 0, or that of COMMAND (128+N if signal N ended it); 75 refused: a
conflict, a name that another session has, a path of another agent, a commit
with one; 64 wrong usage, names or patterns; 65 a file that is not a valid
claim, or a claim that is gone or has nothing of PATH; 69 COMMAND cannot be run;
70 internal error; 73 the folder cannot be created or opened.
`;

export const NEXT_ID_HELP = `Usage: holdfast next-id [options] DIR [--] [COMMAND [ARGUMENT…]]

Prints the next id of DIR: one above the largest number in the names of its
entries and above the last id given out. With COMMAND, {id} in its arguments is
replaced by the id, HOLDFAST_ID is set to it, and other callers wait until
COMMAND has ended. If COMMAND fails, the id is free again, unless there is an
entry with it by then.

      --pattern REGEXP     finds the id in the name of an entry, in its first
                           group; by default the number that names begin with,
                           or, if no name does, their only number
      --with DIR2          another folder that shares the ids; repeatable
      --pad N              write at least N digits: 0042; by default as many as
                           the entries have, if all have the same width
  -w, --timeout TIME       wait at most TIME (30; 500ms, 10m) for other callers;
                           30 s
      --reuse              the smallest id that no entry has, so that ids of
                           deleted entries are used again
      --start N            the first id; 1
      --lock-name NAME     the name of the lock file in DIR; .next-id.lock
      --locker URL         take the lock from a server, if machines share DIR:
                           holdfast run --help. Without a NAME in the URL, it is
                           the path of the lock file
  -q, --quiet              no message when the time is up
  -h, --help

Names that begin with a dot do not count, except with --pattern. If some names
begin with a number and others have one elsewhere, or a name has several, the id
is ambiguous: exit status 65, use --pattern.

COMMAND inherits the locks: if holdfast is killed, other callers still wait for
COMMAND. The last id is stored in each folder, in the file NAME.last.

Exit status: 0, or the status of COMMAND; 75 the time is up; 64 wrong usage; 65
the id is ambiguous, there is none left, or the lock failed; 69 COMMAND cannot
be run; 73 a folder or lock cannot be created or opened; 74 the id could not be
printed, and is not given out.
`;

export const MCP_HELP = `Usage: holdfast mcp [--dir DIR] [--root DIR] [--agent NAME]

Claims for an agent whose host speaks MCP: a server on standard input and
output, which the host starts. Its tools are claim, release, check, list and
plan; the resource holdfast://claims tells of changes. See docs/agents.md.

      --dir DIR      the folder of the claims; by default HOLDFAST_CLAIMS, else
                     that of the repository that a path is in
      --root DIR     what paths are relative to; by default the git top level of
                     the folder with the claims, else the working directory
      --agent NAME   the name to claim under; by default HOLDFAST_AGENT, else
                     the name and pid of the program that runs the agent
  -h, --help

What is claimed belongs to that program. It is free when its process ends,
however it ends, and when the server ends in order: at the end of its input, or
by SIGTERM, SIGINT or SIGHUP. If the server is killed, it stays.

Exit status: 0 the host has closed the input, or asked by a signal; 64 wrong
usage.
`;
