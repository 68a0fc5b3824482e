const PLAIN = /^[\w@%+:,./-][\w@%+=:,./#~-]*$/;

/** A word for the command line of a shell, in quotes if the shell would take it apart. */
export function shellWord(text: string): string {
  return PLAIN.test(text) ? text : singleQuoted(text);
}

export function singleQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
