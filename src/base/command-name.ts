let find = (): string => 'holdfast';

/**
 * How a message names the command where it says what to run. A library cannot
 * know the shell of those who read its errors, so there it is the bare name.
 */
export function commandName(): string {
  return find();
}

/** Called by the programs of this package, whose messages a person reads in a shell. */
export function setCommandName(how: () => string): void {
  find = how;
}
