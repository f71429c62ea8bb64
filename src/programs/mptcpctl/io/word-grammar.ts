/** The grammar of the words that follow a command, and the keywords that several commands have. */
import { didYouMean } from "../../../base/text.ts";
import { canonicalIp } from "../../../kernel/netlink/ip.ts";
import { UsageError } from "./output.ts";

/** A word that takes a value after it: `id 3`. */
export type Keyword<Request> = {
  /** The placeholder of the value in messages: "ID". */
  readonly value: string;
  /** Throws UsageError if the word is not such a value. */
  read(request: Request, word: string, grammar: Grammar<Request>): void;
};

/** The words of one command. They may come in any order. */
export type Grammar<Request> = {
  /** The command, for messages: "endpoint add". */
  readonly command: string;
  /** The words that the command takes, for the messages of `given`. */
  readonly usage?: string;
  /** Words without a value. As in ip(8), they cannot be abbreviated. */
  readonly flags: readonly string[];
  readFlag?(request: Request, flag: string): void;
  /** A prefix is enough. If two keywords fit, the first in this table is meant, as in ip(8). */
  readonly keywords: Readonly<Record<string, Keyword<Request>>>;
  /** The meaning of any other word. */
  readonly other?: Keyword<Request>;
};

/** The words that may follow a command, for completions and the manual. */
export type WordTable = {
  readonly command: string;
  readonly flags: readonly string[];
  /** The name of each keyword, with the placeholder of its value. */
  readonly keywords: Readonly<Record<string, { readonly value: string }>>;
  readonly other?: { readonly value: string };
};

/** Reads the words of a command line into `request`. Throws UsageError, which names the allowed words. */
export function readWords<Request>(
  grammar: Grammar<Request>,
  words: readonly string[],
  request: Request,
): Request {
  const { command, flags, keywords, other } = grammar;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (flags.includes(word)) {
      grammar.readFlag?.(request, word);
      continue;
    }
    const name = expand(word, Object.keys(keywords));
    const keyword = name === undefined ? undefined : keywords[name];
    if (keyword !== undefined) {
      const value = words[++at];
      if (value === undefined) throw new UsageError(`${command}: ${keyword.value} is missing after ${word}`);
      keyword.read(request, value, grammar);
    } else if (other !== undefined && word !== "") other.read(request, word, grammar);
    else throw unknownWord(grammar, word);
  }
  return request;
}

/** For commands that take no words. */
export function readNoWords(command: string, words: readonly string[]): void {
  readWords(noWords(command), words, {});
}

export function noWords(command: string): Grammar<object> {
  return { command, flags: [], keywords: {} };
}

/** The first of `names` that starts with `word`, like matches() in iproute2's lib/utils.c. An empty word fits none. */
export function expand<Name extends string>(word: string, names: readonly Name[]): Name | undefined {
  return word === "" ? undefined : names.find((name) => name.startsWith(word));
}

export function unknownWord<Request>(grammar: Grammar<Request>, word: string): UsageError {
  const keywords = Object.entries(grammar.keywords).map(([name, { value }]) => `${name} ${value}`);
  const all = [...(grammar.other ? [grammar.other.value] : []), ...keywords, ...grammar.flags];
  const allowed = all.length === 0 ? "no further word is allowed" : `allowed: ${all.join(", ")}`;
  const hint = didYouMean(word, [...Object.keys(grammar.keywords), ...grammar.flags]);
  return new UsageError(`${grammar.command}: "${word}" is not understood${hint}; ${allowed}`);
}

/** Numbers as ip(8) takes them, by strtoul(3) with base 0: 10, 0xa, 012. Throws UsageError. */
export function readNumber(command: string, what: string, word: string, maximum: number): number {
  const octal = /^0[0-7]+$/.test(word);
  const digits = octal ? `0o${word.slice(1)}` : word;
  const value = octal || /^(\d+|0[xX][\da-fA-F]+)$/.test(word) ? Number(digits) : Number.NaN;
  if (value <= maximum) return value;
  throw new UsageError(`${command}: "${word}" is not a valid ${what}; give a number from 0 to ${maximum}`);
}

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
      throw new UsageError(
        `${command}: "${word}" is not a token; a token has up to eight hexadecimal digits`,
      );
    request.token = value;
  },
};

/** An address without a keyword before it. */
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

/** An address in its canonical form. Throws UsageError; for a word that is nearly an address it says what is wrong. */
export function readAddress<Request>(word: string, grammar: Grammar<Request>): string {
  const canonical = canonicalIp(word);
  if (canonical !== undefined) return canonical;
  const [, host = word, rest = ""] = /^([^/%]*)([/%].*)$/.exec(word) ?? [];
  if (canonicalIp(host) !== undefined) {
    const advice = rest.startsWith("/") ? "the prefix length" : "the interface";
    throw new UsageError(`${grammar.command}: "${word}" is not an address: leave out ${advice}, "${rest}"`);
  }
  if (!/^(\d+\.[\d.]*|[\da-f]*:[\da-f:.]*)$/i.test(host)) throw unknownWord(grammar, word);
  throw new UsageError(
    `${grammar.command}: "${word}" is not an address; write it in full, such as 10.0.0.1 or fd00::1`,
  );
}

/** Refuses a second value, which would silently replace the first. */
export function once(command: string, name: string, before: unknown): void {
  if (before !== undefined) throw new UsageError(`${command}: ${name} is given twice`);
}

/** A value that a command needs. Throws UsageError, which shows the command's usage. */
export function given<T>(
  { command, usage = "" }: Pick<Grammar<never>, "command" | "usage">,
  value: T | undefined,
  what: string,
): T {
  if (value !== undefined) return value;
  throw new UsageError(`${command}: ${what} is missing: ${usage}`);
}
