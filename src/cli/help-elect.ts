export const ELECT_HELP = `Usage: holdfast elect [options] DIR [--] COMMAND [ARGUMENT…]
       holdfast elect [options] URL [--] COMMAND [ARGUMENT…]
       holdfast elect status [--json] DIR|URL

Of all processes started this way with one DIR, one runs its COMMAND: the
primary. The others stand by. When the primary ends, crashes or is killed, the
next one becomes primary within milliseconds. A missing DIR is created. With a
URL, the seat is a lock of a server: holdfast run --help

      --id ID        the id of this member, unique among the living members; by
                     default, later members have later ids
      --settle TIME  wait TIME before taking a free seat, so that of members
                     that start together the smallest id takes it: 150ms is
                     enough; by default 0. Neither is for a URL
  -q, --quiet    no messages on standing by, or if there is a living member ID
  -h, --help

COMMAND inherits the seat: if holdfast is killed, there is no second primary
while COMMAND runs. If the folder or its .primary is removed or replaced,
COMMAND is ended: SIGTERM, after 5 s SIGKILL. So it is if the lock of a URL is
lost, and the exit status is 65. HOLDFAST_TERM is set to a number that grows
with every new primary. Signals are passed on to COMMAND.

status shows the members and the primary, and changes nothing.

Exit status: that of COMMAND; 75 there is a living member ID; 64 wrong usage; 65
the lock failed, or the file of ID or .primary belongs to another program; 69
COMMAND cannot be run; 73 DIR or .primary cannot be created, opened or written.
`;
