import { didYouMean } from "../../base/text.ts";
import { UsageError } from "./exit.ts";

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
