/** What every command gets: how to answer. */
export type Context = {
  /** To standard output, at once. */
  write(text: string): void;
  /** A line to standard error. */
  warn(message: string): void;
};
