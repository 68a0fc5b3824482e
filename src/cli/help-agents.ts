export const CLAIM_AGENTS_HELP = `Usage: holdfast claim install-hook --for HOST [options]
       holdfast claim hook --for HOST [options]
       holdfast claim bypass [--dir DIR] TIME

For programs that run agents. HOST is claude-code, codex, gemini, opencode,
cursor or git.

install-hook puts a hook into the settings of HOST and prints what it changes.
From then on the first write of an agent claims the file, the write of another
one is refused, and everything is free when the session ends. For git it is a
pre-commit hook, which runs the one that was there first.

      --user               in the settings of the user, for all projects; by
                           default in those of this working tree
      --unclaimed WHAT     a write to what nobody has claimed: claim it (the
                           default), allow or deny it
      --dir DIR            the folder with the claims; by default that of the
                           repository of each path
      --dry-run            only print what would change
      --remove             take it out again

hook is what the settings call: it reads the JSON of HOST from standard input
and answers as HOST expects. Exit status 2 and a text on standard error refuse.

bypass lets hooks pass for TIME (10m, 1h; from 1s to 24h; 0 ends it). A person
only: it is refused below HOST and with HOLDFAST_AGENT set.

Exit status: 0; 64 wrong usage; 65 settings that are not JSON, or of another
form, which are left alone; 73 settings that cannot be read or written; 75 a
bypass that is not a person's.
`;
