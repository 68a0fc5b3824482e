/**
 * The fields of a /proc/<pid>/stat after the name, which may hold anything:
 * the first is the state. proc_pid_stat(5).
 */
export function statFields(text: string): string[] {
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** One line of /proc/<pid>/mountinfo: proc_pid_mountinfo(5). */
export interface Mount {
  major: number;
  minor: number;
  /** Where it is mounted. */
  point: string;
  options: string[];
  /** Of the file system: `ext4`, `nfs4`. */
  type: string;
}

export function parseMount(line: string): Mount | null {
  const [before = '', after = ''] = line.split(' - ');
  const [, , device = '', , point, options] = before.split(' ');
  const [major, minor] = device.split(':').map(Number);
  if (point === undefined || options === undefined) return null;
  if (major === undefined || minor === undefined) return null;
  return {
    major,
    minor,
    // Blanks, line feeds and backslashes in it are written in octal.
    point: point.replace(/\\(\d{3})/g, (_, octal) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    ),
    options: options.split(','),
    type: after.split(' ')[0] ?? '',
  };
}

/**
 * The mount that a /proc/<pid>/fdinfo/<fd> names. Not by st_dev: on btrfs and
 * others the kernel's tables show another device.
 */
export function mountOf(fdinfo: string, mountinfo: string): Mount | null {
  const id = /^mnt_id:\s*(\d+)/m.exec(fdinfo)?.[1];
  if (id === undefined) return null;
  const line = new RegExp(`^${id} .*`, 'm').exec(mountinfo)?.[0];
  return line === undefined ? null : parseMount(line);
}
