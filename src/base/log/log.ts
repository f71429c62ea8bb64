/** Severities, most verbose first. "debug" entries are dropped unless the logger was made with `debug: true`. */
export const levels = ["debug", "info", "notice", "warning", "error"] as const;
export type Level = (typeof levels)[number];

/**
 * What an entry is about, by journal field name (upper case letters, digits and `_`): INTERFACE, ADDRESS,
 * ENDPOINT_ID, REASON, ERRNO … Only the journal shows fields, so the message says everything too.
 */
export type Fields = { readonly [name: string]: string | number };

export interface Entry {
  readonly level: Level;
  readonly message: string;
  readonly fields: Fields;
}

export interface Logger {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  notice(message: string, fields?: Fields): void;
  warning(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
}

/** Where entries go. Neither method throws or blocks: a log that is lost must not take the daemon with it. */
export interface Sink {
  write(entry: Entry): void;
  close(): void;
}

/** The values of `--log` and of the key `log`. */
export const logDestinations = ["stderr", "syslog", "journal", "null"] as const;
export type LogDestination = (typeof logDestinations)[number];

export function createLogger({ sink, debug }: { sink: Sink; debug: boolean }): Logger {
  const at =
    (level: Level) =>
    (message: string, fields: Fields = {}): void =>
      sink.write({ level, message, fields });
  return {
    debug: debug ? at("debug") : () => {},
    info: at("info"),
    notice: at("notice"),
    warning: at("warning"),
    error: at("error"),
  };
}

/** A logger that says of what, or of whom, all its messages are: "sspi: …". */
export function prefixed(log: Logger, prefix: string, always: Fields = {}): Logger {
  const at =
    (level: Level) =>
    (message: string, fields: Fields = {}): void =>
      log[level](`${prefix}: ${message}`, { ...always, ...fields });
  return {
    debug: at("debug"),
    info: at("info"),
    notice: at("notice"),
    warning: at("warning"),
    error: at("error"),
  };
}

export const nullSink: Sink = { write() {}, close() {} };

/** RFC 5424, table 2: the numerical severities that syslog and the journal's PRIORITY use. */
export const severities: Readonly<Record<Level, number>> = {
  error: 3,
  warning: 4,
  notice: 5,
  info: 6,
  debug: 7,
};
