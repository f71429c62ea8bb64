/** Bits of a file's mode: inode(7). */

interface Mode {
  readonly mode: number;
}

/** Whether everybody may write to a file or directory (S_IWOTH). */
export function isWorldWritable({ mode }: Mode): boolean {
  return (mode & 0o002) !== 0;
}

/** Whether nobody can move what is another's out of a directory (S_ISVTX). */
export function isSticky({ mode }: Mode): boolean {
  return (mode & 0o1000) !== 0;
}
