/** Runs node under strace, which lets system calls on `path`, and no others, fail. */
export function failing(path: string, ...injections: string[]): string[] {
  const inject = injections.flatMap((each) => ['-e', `inject=${each}`]);
  return ['strace', '-f', '-qq', '-o', '/dev/null', '-P', path, ...inject];
}
