export const DOCTOR_HELP = `Usage: holdfast doctor [--json] DIR

Tests whether locks work in DIR, with two real processes that share, contend,
hand over and die. Shows the kind of file system, what is promised there and
what is not. Works in a folder of its own inside DIR, and removes it. Also shows
whether the hooks for claims work that are installed for DIR.

      --json     for programs
  -h, --help

Exit status: 0 locks work; 65 they do not, or a hook does not; 64 wrong usage;
73 DIR does not exist, or no file can be created in it.
`;
