import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { getSystemErrorMap } from "node:util";
import { codeOf } from "../../base/errors.ts";
import { quote } from "../../base/text.ts";
import { ConfigError } from "./config.ts";

/** One `key=value` line: blanks around both are gone, escapes are resolved. Lines count from 1. */
export interface IniEntry {
  readonly key: string;
  readonly value: string;
  readonly line: number;
}

/** A `[name]` header and the entries below it. */
export interface IniSection {
  readonly name: string;
  readonly line: number;
  readonly entries: readonly IniEntry[];
}

/** What is wrong with a line. */
export interface Fault {
  readonly line: number;
  readonly message: string;
}

/**
 * The contents of a configuration file; undefined if there is none or a link leads nowhere.
 *
 * @throws {ConfigError} if it cannot be read, is no regular file, or everybody may write to it. Other accounts
 * could otherwise steer a daemon that has CAP_NET_ADMIN.
 */
export function readConfigFile(file: string): Uint8Array | undefined {
  let fd: number;
  try {
    // One descriptor: the checked file is the one that is read. O_NONBLOCK: do not wait for the writer of a FIFO.
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") return undefined;
    // A socket cannot be opened; open(2) says ENXIO.
    if (code === "ENXIO") throw notAFile(file);
    throw unreadable(file, error);
  }
  try {
    const status = fstatSync(fd);
    if (!status.isFile()) throw notAFile(file);
    if ((status.mode & constants.S_IWOTH) !== 0) {
      throw new ConfigError([`${file}: everybody may write to it; run: chmod o-w ${file}`]);
    }
    return readAll(fd, file);
  } catch (error) {
    throw error instanceof ConfigError ? error : unreadable(file, error);
  } finally {
    closeSync(fd);
  }
}

/**
 * Reads the grammar of mptcpd.conf, which is that of ELL's l_settings: `#` comments only at the start of a line,
 * leading blanks skipped, `\s \n \t \r \\` in values, keys of letters, digits, `_ . -`. Beyond ELL, blanks at the
 * end of a line are dropped (`\s` keeps one) and lines may end in CR LF.
 *
 * ELL drops the whole file at the first fault and keeps quiet. Here every fault is returned, so that one run shows
 * them all; `sections` is then what could be read.
 */
export function parseIni(bytes: Uint8Array): { sections: IniSection[]; problems: Fault[] } {
  const reader = new Reader();
  let line = 1;
  for (let start = 0; start <= bytes.length; line += 1) {
    const newline = bytes.indexOf(LINE_FEED, start);
    const end = newline === -1 ? bytes.length : newline;
    reader.read(bytes.subarray(start, end), line);
    start = end + 1;
  }
  const sections = reader.sections.map(({ name, line, entries }) => ({ name, line, entries }));
  return { sections, problems: reader.problems };
}

/** Far more than any mptcpd.conf has; keeps a wrong file from being read for minutes. */
const largest = 1024 * 1024;

function readAll(fd: number, file: string): Uint8Array {
  const bytes = new Uint8Array(largest + 1);
  let length = 0;
  for (;;) {
    const count = readSync(fd, bytes, length, bytes.length - length, null);
    if (count === 0) return bytes.slice(0, length);
    length += count;
    if (length > largest) throw new ConfigError([`${file}: is larger than 1 MiB; is it the right file?`]);
  }
}

function notAFile(file: string): ConfigError {
  return new ConfigError([`${file}: is not a regular file`]);
}

function unreadable(file: string, error: unknown): ConfigError {
  const errno = error instanceof Error && "errno" in error ? Number(error.errno) : 0;
  const reason = getSystemErrorMap().get(errno)?.[1] ?? String(error);
  return new ConfigError([`${file}: cannot be read: ${reason}; let the daemon's user read it, or remove it`]);
}

const LINE_FEED = 0x0a;
const BYTE_ORDER_MARK = "\ufeff";
const escapes: Readonly<Record<string, string>> = { s: " ", n: "\n", t: "\t", r: "\r", "\\": "\\" };

type OpenSection = {
  readonly name: string;
  readonly line: number;
  readonly entries: IniEntry[];
  readonly lineOfKey: Map<string, number>;
};

class Reader {
  readonly sections: OpenSection[] = [];
  readonly problems: Fault[] = [];
  readonly #lineOfSection = new Map<string, number>();
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  // Undefined before the first header. Entries below a faulty header go to a section that nobody sees.
  #open: OpenSection | undefined;

  read(bytes: Uint8Array, line: number): void {
    const text = this.#decode(bytes, line);
    if (text === "" || text === undefined || text.startsWith("#")) return;
    if (text.startsWith("[")) this.#header(text, line);
    else this.#entry(text, line);
  }

  #decode(bytes: Uint8Array, line: number): string | undefined {
    let text: string;
    try {
      text = this.#decoder.decode(bytes);
    } catch {
      return this.#problem(line, "the line is not valid UTF-8; save the file as UTF-8");
    }
    if (line === 1 && text.startsWith(BYTE_ORDER_MARK)) {
      this.#problem(line, "the file begins with a byte order mark; save it as UTF-8 without one");
      text = text.slice(BYTE_ORDER_MARK.length);
    }
    text = text.replace(/\r$/, "");
    const control = /(?!\t)\p{Cc}/u.exec(text)?.[0];
    if (control !== undefined) {
      const code = control.charCodeAt(0).toString(16).padStart(4, "0");
      return this.#problem(
        line,
        `the line holds the control character U+${code}; allowed are \\n, \\r and \\t`,
      );
    }
    return text.replace(/^[ \t]+|[ \t]+$/g, "");
  }

  #header(text: string, line: number): void {
    const [, inner = "", rest] = /^\[([^\]]*)\](.*)$/.exec(text) ?? [];
    const name = inner.trim().replace(/[ \t]+/g, " ");
    this.#open = { name, line, entries: [], lineOfKey: new Map() };
    if (rest === undefined) this.#problem(line, `${quote(text)} has no closing ]; allowed is [NAME]`);
    else if (name === "") this.#problem(line, "the section has no name; allowed is [NAME]");
    else if (rest !== "") {
      this.#problem(line, `${quote(rest.trim())} follows the section's ]; comments need a line of their own`);
    } else {
      const earlier = this.#lineOfSection.get(name);
      if (earlier !== undefined) {
        this.#problem(line, `[${name}] already begins on line ${earlier}; put its keys there`);
        return;
      }
      this.#lineOfSection.set(name, line);
      this.sections.push(this.#open);
    }
  }

  #entry(text: string, line: number): void {
    const equals = text.indexOf("=");
    if (equals === -1) {
      this.#problem(line, `${quote(text)} has no "="; allowed are KEY=VALUE, [SECTION] and # COMMENT`);
      return;
    }
    const key = text.slice(0, equals).replace(/[ \t]+$/, "");
    if (!/^[A-Za-z0-9_.-]+$/.test(key)) {
      this.#problem(line, `${quote(key)} is not a key; allowed are letters, digits and the characters _ . -`);
      return;
    }
    const value = this.#unescape(text.slice(equals + 1).replace(/^[ \t]+/, ""), key, line);
    if (this.#open === undefined) {
      this.#problem(line, `${key} stands before any section; put [core] above it`);
      return;
    }
    const earlier = this.#open.lineOfKey.get(key);
    if (earlier !== undefined) {
      this.#problem(line, `${key} was given on line ${earlier} already; keep one of them`);
      return;
    }
    this.#open.lineOfKey.set(key, line);
    if (value !== undefined) this.#open.entries.push({ key, value, line });
  }

  #unescape(raw: string, key: string, line: number): string | undefined {
    let bad: string | undefined;
    const value = raw.replace(/\\(.?)/gu, (whole, letter: string) => {
      const character = escapes[letter];
      if (character === undefined) bad ??= whole;
      return character ?? "";
    });
    if (bad === undefined) return value;
    return this.#problem(
      line,
      `${key}: ${quote(bad, { raw: true })} is not an escape; allowed are \\s \\n \\t \\r \\\\`,
    );
  }

  #problem(line: number, message: string): undefined {
    this.problems.push({ line, message });
  }
}
