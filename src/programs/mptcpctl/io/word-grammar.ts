/** The grammar of the words that follow a command, and the keywords that several commands have. */
import { didYouMean } from "../../../base/text.ts";
import { canonicalIp } from "../../../kernel/netlink/ip.ts";
import { UsageError } from "./output.ts";

/** A word that takes a value after it: `id 3`. */
export type Keyword<Request> = {
  /** What stands for the value in messages: "ID". */
  readonly value: string;
  /** Throws UsageError if the word is not such a value. */
  read(request: Request, word: string, grammar: Grammar<Request>): void;
};

/** The words of one command. They may come in any order. */
export type Grammar<Request> = {
  /** The command, for messages: "endpoint add". */
  readonly command: string;
  /** The words that the command takes, for messages of `given`. */
  readonly usage?: string;
  /** Words that stand alone; never abbreviated, as in ip(8). */
  readonly flags: readonly string[];
  readFlag?(request: Request, flag: string): void;
  /** Any prefix will do; of two that fit, the first in this table is meant, as in ip(8). */
  readonly keywords: Readonly<Record<string, Keyword<Request>>>;
  /** What a word means that is none of these. */
  readonly other?: Keyword<Request>;
};

/** What may follow a command, to be described: in completions, in the manual. */
export type WordTable = {
  readonly command: string;
  readonly flags: readonly string[];
  /** The name of each keyword, and what stands for its value. */
  readonly keywords: Readonly<Record<string, { readonly value: string }>>;
  readonly other?: { readonly value: string };
};

/** Reads the words of a command line into `request`. Throws UsageError, which names what is allowed. */
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

/** The first of `names` that starts with `word`, as matches() of iproute2's lib/utils.c; an empty word is none. */
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
  throw new UsageError(`${command}: "${word}" is no ${what}; it is a number from 0 to ${maximum}`);
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
export function given<T>(
  { command, usage = "" }: Pick<Grammar<never>, "command" | "usage">,
  value: T | undefined,
  what: string,
): T {
  if (value !== undefined) return value;
  throw new UsageError(`${command}: ${what} is missing: ${usage}`);
}
