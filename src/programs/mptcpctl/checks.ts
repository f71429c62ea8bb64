/** What is checked of words that several commands have. */
import { canonicalIp } from "../../kernel/netlink/ip.ts";
import { UsageError } from "./exit.ts";
import { type Grammar, unknownWord } from "./words.ts";

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
