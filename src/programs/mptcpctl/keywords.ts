/** Words with a value that several commands have, and what is checked of them. */

import { canonicalIp } from "../../kernel/netlink/ip.ts";
import { UsageError } from "./exit.ts";
import { type Grammar, type Keyword, readNumber, unknownWord } from "./word-grammar.ts";

export const endpointId = idNamed("endpoint id");
export const addressId = idNamed("address id");

export const port: Keyword<{ port?: number }> = {
  value: "NR",
  read(request, word, { command }) {
    once(command, "port", request.port);
    request.port = readNumber(command, "port", word, 65535);
  },
};

export const dev: Keyword<{ dev?: string }> = {
  value: "NAME",
  read(request, word, { command }) {
    once(command, "dev", request.dev);
    request.dev = word;
  },
};

export const token: Keyword<{ token?: number }> = {
  value: "TOKEN",
  read(request, word, { command }) {
    once(command, "token", request.token);
    const value = tokenOf(word);
    if (value === undefined)
      throw new UsageError(`${command}: "${word}" is no token; it has up to eight hexadecimal digits`);
    request.token = value;
  },
};

/** Stands without a name before it. */
export const address: Keyword<{ address?: string }> = {
  value: "ADDRESS",
  read(request, word, grammar) {
    const canonical = readAddress(word, grammar);
    once(grammar.command, "ADDRESS", request.address);
    request.address = canonical;
  },
};

function idNamed(what: string): Keyword<{ id?: number }> {
  return {
    value: "ID",
    read(request, word, { command }) {
      once(command, "id", request.id);
      request.id = readNumber(command, what, word, 255);
    },
  };
}

/** Tokens are written in hexadecimal, as `monitor` and ss(8) print them. */
export function tokenOf(word: string): number | undefined {
  const digits = /^(?:0x)?([\da-f]{1,8})$/i.exec(word)?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

/** What is checked of words that several commands have. */

/** An address in its canonical form. Throws UsageError, which says what is wrong with one that is nearly so. */
export function readAddress<Request>(word: string, grammar: Grammar<Request>): string {
  const canonical = canonicalIp(word);
  if (canonical !== undefined) return canonical;
  const [, host = word, rest = ""] = /^([^/%]*)([/%].*)$/.exec(word) ?? [];
  if (canonicalIp(host) !== undefined) {
    const advice = rest.startsWith("/") ? "the prefix length" : "the interface";
    throw new UsageError(`${grammar.command}: "${word}" is no address: leave out ${advice}, "${rest}"`);
  }
  if (!/^(\d+\.[\d.]*|[\da-f]*:[\da-f:.]*)$/i.test(host)) throw unknownWord(grammar, word);
  throw new UsageError(
    `${grammar.command}: "${word}" is no address; it is written in full, such as 10.0.0.1 or fd00::1`,
  );
}

/** The last of several would win, without a word. */
export function once(command: string, name: string, before: unknown): void {
  if (before !== undefined) throw new UsageError(`${command}: ${name} is given twice`);
}

/** A value that a command cannot do without. Throws UsageError, which shows the command's usage. */
export function required<T>(value: T | undefined, what: string, command: string, usage = ""): T {
  if (value !== undefined) return value;
  throw new UsageError(`${command}: ${what} is missing: ${usage}`);
}
