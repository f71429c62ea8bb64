import { charactersOfName } from "../../base/bytes.ts";
import { compileGlob } from "../../base/glob.ts";
import type { PathRule } from "./config.ts";
import { contains } from "./prefix.ts";

/** What rules look at: one address on one interface. */
export interface MatchSubject {
  /** The interface's name and its alternative names. */
  readonly interfaceNames: readonly string[];
  /** The link kind ("veth", "wireguard" …); undefined for a physical interface. */
  readonly kind: string | undefined;
  /** Canonical. */
  readonly address: string;
}

/** Whether all that the rule asks for holds; a rule that asks for nothing matches everything. */
export function matchesRule(rule: PathRule, subject: MatchSubject): boolean {
  const { matchInterface, matchKind, matchAddress } = rule;
  return (
    (matchInterface === undefined ||
      subject.interfaceNames.some((name) =>
        matchesAny(matchInterface.map(charactersOfName), charactersOfName(name)),
      )) &&
    (matchKind === undefined || matchesAny(matchKind, subject.kind ?? "physical")) &&
    (matchAddress === undefined || matchAddress.some((prefix) => contains(prefix, subject.address)))
  );
}

/** The rule that decides for the subject: the first in the file that matches. */
export function findRule(rules: readonly PathRule[], subject: MatchSubject): PathRule | undefined {
  return rules.find((rule) => matchesRule(rule, subject));
}

function matchesAny(globs: readonly string[], text: string): boolean {
  return globs.some((glob) => compileGlob(glob)?.(text) ?? false);
}
