/** Where messages go: standard error, the journal, syslog. */
import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";
import { isatty } from "node:tty";
import { messageOf } from "../errors.ts";
import { cut, escapeLines, oneLine } from "../text.ts";
import { type Entry, type Level, type LogDestination, nullSink, type Sink, severities } from "./log.ts";

/**
 * The sink of a destination. What journal or syslog does not take (it is not there, or went away) goes to stderr,
 * after one line that says so; the next message tries the destination again.
 */
export function openSink(
  destination: LogDestination,
  options: { readonly sendDatagram: SendDatagram; readonly stderr?: StderrOptions },
): Sink {
  const { sendDatagram: send, stderr } = options;
  switch (destination) {
    case "null":
      return nullSink;
    case "stderr":
      return new StderrSink(stderr);
    case "syslog":
      return new DatagramSink("syslog", syslogSocket, encodeSyslog, send, new StderrSink(stderr));
    case "journal":
      return new DatagramSink("the journal", journalSocket, encodeJournal, send, new StderrSink(stderr));
  }
}

export interface StderrOptions {
  /** 2, unless a test says otherwise. */
  readonly fd?: number;
  /** By default: on a terminal, unless NO_COLOR is set (no-color.org) or the terminal is dumb. */
  readonly colors?: boolean;
}

/**
 * Lines `level: message`, written at once, so that the last words before a crash are seen. Nobody reads, the pipe
 * is closed or full, the disk is full: the line is dropped and the daemon goes on.
 */
export class StderrSink implements Sink {
  readonly #fd: number;
  readonly #reopened: number | undefined;
  readonly #colors: boolean;
  #dropped = 0;

  constructor({ fd = 2, colors = wantsColors(fd) }: StderrOptions = {}) {
    this.#reopened = reopenNonBlocking(fd);
    this.#fd = this.#reopened ?? fd;
    this.#colors = colors;
  }

  write({ level, message }: Entry): void {
    const lost = this.#dropped === 0 ? "" : this.#format("warning", `messages lost here: ${this.#dropped}`);
    try {
      // One write of less than PIPE_BUF (4096 bytes), which pipe(7) takes whole or not at all.
      writeSync(this.#fd, lost + this.#format(level, message));
      this.#dropped = 0;
    } catch {
      this.#dropped += 1;
    }
  }

  close(): void {
    if (this.#reopened !== undefined) closeSync(this.#reopened);
  }

  #format(level: Level, message: string): string {
    const color = this.#colors ? sgr[level] : undefined;
    const word = color === undefined ? `${level}:` : `\x1b[${color}m${level}:\x1b[0m`;
    return `${word} ${cut(oneLine(message), 1200)}\n`;
  }
}

/** Sends one datagram to the Unix socket at `path`, without blocking; throws an error with a `code`. */
export type SendDatagram = (path: string, data: Uint8Array) => void;

export const journalSocket = "/run/systemd/journal/socket";

/**
 * An entry in journald's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a line `NAME=value` for each field,
 * or, where the value has several lines: the name, a newline, the length as 64 bits little endian, the value.
 */
export function encodeJournal({ level, message, fields }: Entry): Uint8Array {
  const all = { PRIORITY: severities[level], SYSLOG_IDENTIFIER: "mptcpd", MESSAGE: message, ...fields };
  return Buffer.concat(
    Object.entries(all).flatMap(([name, value]) => encodeField(name, cut(escapeLines(`${value}`), 16384))),
  );
}

export const syslogSocket = "/dev/log";

/** `<pri>mptcpd[pid]: message` (RFC 3164); the time is left to the receiver, as every /dev/log reader allows. */
export function encodeSyslog({ level, message }: Entry): Uint8Array {
  const priority = daemonFacility * 8 + severities[level];
  return Buffer.from(`<${priority}>mptcpd[${process.pid}]: ${cut(oneLine(message), 8192)}`);
}

/** Entries as datagrams; those that cannot be sent go to another sink. */
class DatagramSink implements Sink {
  readonly #name: string;
  readonly #path: string;
  readonly #encode: (entry: Entry) => Uint8Array;
  readonly #send: SendDatagram;
  readonly #fallback: Sink;
  #lost = false;

  constructor(
    name: string,
    path: string,
    encode: (entry: Entry) => Uint8Array,
    send: SendDatagram,
    fallback: Sink,
  ) {
    this.#name = name;
    this.#path = path;
    this.#encode = encode;
    this.#send = send;
    this.#fallback = fallback;
  }

  write(entry: Entry): void {
    try {
      this.#send(this.#path, this.#encode(entry));
      this.#lost = false;
    } catch (error) {
      if (!this.#lost) this.#sayLost(error);
      this.#lost = true;
      this.#fallback.write(entry);
    }
  }

  close(): void {
    this.#fallback.close();
  }

  #sayLost(error: unknown): void {
    const reason = messageOf(error);
    const message = `cannot log to ${this.#name} at ${this.#path}: ${reason}; logging to stderr until it is back`;
    this.#fallback.write({ level: "warning", message, fields: {} });
  }
}

const sgr: Readonly<Partial<Record<Level, string>>> = {
  error: "1;31",
  warning: "33",
  notice: "1",
  debug: "2",
};

function wantsColors(fd: number): boolean {
  const { NO_COLOR: off, TERM: terminal } = process.env;
  return isTerminal(fd) && (off === undefined || off === "") && terminal !== "dumb";
}

/** Looks first at what Node need not load anything for: under systemd it is a socket. */
function isTerminal(fd: number): boolean {
  try {
    return fstatSync(fd).isCharacterDevice() && isatty(fd);
  } catch {
    return false;
  }
}

/**
 * A descriptor of our own for a pipe or terminal, so that a reader who stops reading does not stop us. O_NONBLOCK on
 * the given one would change it for every process that shares it. Undefined where that cannot be (a socket, or a
 * pipe of another user's); a write may block there.
 */
function reopenNonBlocking(fd: number): number | undefined {
  try {
    const status = fstatSync(fd);
    if (!status.isFIFO() && !isTerminal(fd)) return undefined;
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return undefined;
  }
}

const newline = Buffer.from("\n");

function encodeField(name: string, value: string): Uint8Array[] {
  if (!value.includes("\n")) return [Buffer.from(`${name}=${value}\n`)];
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return [Buffer.from(`${name}\n`), length, bytes, newline];
}

/** RFC 3164, 4.1.1: facility 3, system daemons. */
const daemonFacility = 3;
