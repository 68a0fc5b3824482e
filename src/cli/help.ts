export const MAIN_HELP = `Usage: holdfast COMMAND …

File locks that the kernel releases when the program dies: flock(2).

Commands:
  run [options] FILE [--] COMMAND…   run COMMAND while holding the lock on FILE
  status PATH…                       who holds a lock, who waits, since when
  claim add|check|list|…             which of several agents may change what
  next-id DIR [COMMAND…]             a number that nobody else gets
  elect DIR COMMAND…                 of several one runs it, others stand by
  doctor DIR                         do locks really work in this folder?

  holdfast COMMAND --help            more about one of them
  holdfast --version

Exit status 74: standard output cannot be written. 141: its reader is gone.
`;

export const RUN_HELP = `Usage: holdfast run [options] FILE [--] COMMAND [ARGUMENT…]
       holdfast run [options] FILE -c 'SHELL COMMAND'
       holdfast run [options] NUMBER

Runs COMMAND while holding the lock on FILE, a file (made if it is missing,
missing folders too) or a folder. The last form locks the inherited descriptor
NUMBER, as in: (holdfast run -n 9 || exit; …) 9>FILE

  -x, -e, --exclusive           one holder (the default)
  -s, --shared                  any number of shared holders
  -n, --nonblock                do not wait: if it is held, exit with 75
  -w, --timeout TIME            wait at most TIME, then exit with 75
                                (30 or 1.5 are seconds; 500ms, 10m, 1h); 0 is -n
  -E, --conflict-exit-code N    exit with N (0 to 255) instead of 75
  -o, --close                   COMMAND does not inherit the lock
  -F, --no-fork                 become COMMAND, which holds the lock itself
  -c, --command CMD             after FILE: run CMD with $SHELL, or /bin/sh
  -u, --unlock                  let go of the lock (of an inherited descriptor)
  -q, --quiet                   no messages while waiting or when refused, for
                                cron; errors are still reported
      --verbose                 tell how long it took
      --data KEY=VALUE          what the lock's record says of you; repeatable
                                of contradicting options the last one counts

  --instance NAME               NAME is to run once: do not wait (but for -w),
                                say "another NAME is already running (pid N)"
  --terminate                   with --instance: end the one that runs (SIGTERM,
                                after 5 s SIGKILL) and take its place; only
                                processes of the user that took the lock
  --uid N                       with --terminate: those of user N, who took the
                                lock or not
  --force                       with --instance: put a new lock in the place of
                                the old one, whose holder runs on
  --yes                         do not ask; without a terminal --force and
                                --terminate need it
  -h, --help

COMMAND inherits the lock: if holdfast is killed, the lock stays until COMMAND
has ended. SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 are passed on
to it; SIGINT and SIGQUIT not in the foreground of a terminal, where those of
the keyboard reach COMMAND by themselves.

Exit status: that of COMMAND; 128+N if signal N ended it; 75 held, or the time
is up; 64 wrong usage; 65 the lock failed; 69 COMMAND cannot be run; 70 a fault
of holdfast; 73 FILE cannot be made or opened.

As the first process of a container use -F, or an init (docker run --init):
holdfast does not reap processes that others left behind.

It stands in for flock(1) and differs on purpose: 75 instead of 1 and 73
instead of 66; it names the holder and passes signals on; it makes missing
folders; it writes who holds into a FILE that is empty or its own (a file with
other content is left alone); it refuses a FILE that is a symlink or a device;
long options are not abbreviated; messages go to stderr.

On Linux COMMAND inherits what holdfast was given: descriptors under their own
numbers (the lock gets the lowest that is free), words and environment byte by
byte, the limit of open files. Not possible under Node:
  - signals that the caller ignores or blocks: put nohup behind FILE
  - closed standard streams: they are /dev/null
  - an eventfd or epoll below descriptor 16, a pipe with both ends here alone
`;

export const STATUS_HELP = `Usage: holdfast status [options] PATH…

Who holds the lock on PATH, who waits, since when. A folder shows every lock
file in it.

  --json     an array of statuses, with --watch one array a line
  --watch    again at every change, until interrupted
  --probe    where the system does not tell, try the lock for a moment
  -h, --help

States: held, held (shared); free; free, not released (the last holder died);
missing; unknown (the holder may be out of sight: see --probe).

Exit status: 0 whatever the state; 64 wrong usage; 65 a PATH cannot be looked
at.
`;

export const CLAIM_HELP = `Usage: holdfast claim add [options] PATH…      claim files and folders
       holdfast claim check [options] PATH…    whose is it?
       holdfast claim list                     all claims
       holdfast claim renew [--ttl TIME]       put off the expiry
       holdfast claim release [--force]        give up the agent's claim
       holdfast claim clear [--force]          give up all claims
       holdfast claim prune                    remove expired and orphaned ones
       holdfast claim audit                    overlaps that a hand has written
       holdfast claim plan FILE|-              who can work at the same time
       holdfast claim guard --staged           for a git pre-commit hook

Several agents work on one tree; each claims what it will change, and a claim
that overlaps with another's is refused. The claims are files in a folder.

      --dir DIR            the folder with the claims (or HOLDFAST_CLAIMS, which
                           is taken from the git top level if it is relative)
      --agent NAME         whose claim it is (or HOLDFAST_AGENT)
      --root DIR           what claims are relative to: the git top level of the
                           folder with the claims, else the working directory
      --json               for programs: list, check, plan, audit, add, prune
  -h, --help

 add: PATH may be a pattern (* within a name, ** for folders, ? for a character;
 all else is literal, \\ escapes). What ends in / or is a folder is claimed with
 everything below it. A new claim replaces the agent's earlier one.
      --except PATTERN     but not this; repeatable
      --task TEXT          what for
      --ttl TIME           until it expires; 1h (30 is seconds; 10m, 1h, 2d)
  -w, --timeout TIME       wait at most TIME for what overlaps to be released
      --ignore-invalid     in spite of files that are no valid claims; check too
  -q, --quiet              print nothing, only exit; check too. Errors are still
                           reported

 check:
      --strict             also refuse what nobody has claimed
  -E, --conflict-exit-code N   exit with N (0 to 255) instead of 75

 release, clear:
      --force              also a claim that lives with another process

plan reads a JSON array of {"agent", "files", "directories", "except",
"task_description"}; with --dir, the claims that exist count as well.

Paths are relative to the working directory where that is in the root, else to
the root; in plan always to the root.

Exit status: 0; 75 refused: a conflict, another's path, a commit with one; 64
wrong usage, names or patterns; 65 a file that is no valid claim, or a claim
that is gone; 73 the folder cannot be made or opened; 70 a fault of holdfast.
`;

export const NEXT_ID_HELP = `Usage: holdfast next-id [options] DIR [--] [COMMAND [ARGUMENT…]]

Prints the next id of DIR: one above the largest number in the names of its
entries and above the last one given out. With COMMAND, {id} in its arguments
is replaced by the id, HOLDFAST_ID is set to it, and other callers wait until
COMMAND has ended. If COMMAND fails, the id is free again, unless an entry with
it has appeared.

      --pattern REGEXP     finds the id in an entry's name, in its first group;
                           by default the number that names begin with, or, if
                           none does, their only number
      --with DIR2          another folder that shares the numbers; repeatable
      --pad N              write at least N digits: 0042; by default as many as
                           the entries, if all of them are padded alike
  -w, --timeout TIME       wait at most TIME (30; 500ms, 10m) for other callers;
                           30 s
      --reuse              the smallest id that no entry has, so that ids of
                           deleted entries come back
      --start N            the first id; 1
      --lock-name NAME     the name of the lock file in DIR; .next-id.lock
  -q, --quiet              no message when the time is up
  -h, --help

Names that begin with a dot do not count, except with --pattern. If some names
begin with a number and others have one elsewhere, or a name has several, the
id is not guessed: exit status 65, use --pattern.

COMMAND inherits the locks: if holdfast is killed, other callers still wait for
COMMAND. The last id is kept in each folder, in the file NAME.last.

Exit status: 0, or the status of COMMAND; 75 the time is up; 64 wrong usage; 65
the id is not clear, there is none left, or the lock failed; 69 COMMAND cannot
be run; 73 a folder or lock cannot be made or opened; 74 the id could not be
printed, and is not given out.
`;

export const ELECT_HELP = `Usage: holdfast elect [options] DIR [--] COMMAND [ARGUMENT…]
       holdfast elect status [--json] DIR

Of all that are started with one DIR, one runs its COMMAND: the primary. The
others stand by, and when it ends, crashes or is killed, the next one is primary
within milliseconds. DIR is made if it is missing.

      --id ID        of this member, unique among the living; by default later
                     ones sort later
      --settle TIME  how long a free seat stays free, so that of those that
                     start together the smallest id takes it: 150ms does; 0
  -q, --quiet    no messages on standing by, or when there is a living member ID
  -h, --help

COMMAND inherits the seat: if holdfast is killed, there is no second primary as
long as COMMAND runs. If the folder or its .primary is removed or replaced,
COMMAND is ended: SIGTERM, after 5 s SIGKILL. HOLDFAST_TERM is set to a number
that is larger for every new primary. Signals are passed on to COMMAND.

status shows the members and who is primary, and changes nothing.

Exit status: that of COMMAND; 75 there is a living member ID; 64 wrong usage; 65
the lock failed, or the file of ID or .primary is another program's; 69 COMMAND
cannot be run; 73 DIR or .primary cannot be made, opened or written.
`;

export const DOCTOR_HELP = `Usage: holdfast doctor [--json] DIR

Tries whether locks work in DIR: which kind of file system it is, and with two
real processes that share, contend, hand over and die. Says what is promised
there and what is not. Works in a folder of its own inside DIR, and removes it.

      --json     for programs
  -h, --help

Exit status: 0 locks work; 65 they do not; 64 wrong usage; 73 DIR is not there,
or no file can be created in it.
`;
