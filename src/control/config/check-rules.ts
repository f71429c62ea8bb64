import type { EndpointFlag } from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import type { PathRule } from "./config.ts";
import type { IniSection } from "./ini.ts";
import { covers, doubtfulKind, whyNoEndpoint } from "./never.ts";
import type { Fault } from "./schema.ts";

/** A [path NAME] section, and what it says. */
export interface WrittenRule {
  readonly rule: PathRule;
  readonly section: IniSection;
}

/** Checks rules against each other and against what else is in force. */
export function checkRules(
  rules: readonly WrittenRule[],
  addressFlags: Bits<EndpointFlag>,
): { readonly errors: Fault[]; readonly warnings: Fault[] } {
  const errors: Fault[] = [];
  const warnings: Fault[] = [];
  for (const [index, written] of rules.entries()) {
    errors.push(...portFaults(written, addressFlags));
    warnings.push(...idleKeys(written), ...doubtfulKinds(written));
    const { rule, section } = written;
    const useless = whyNoEndpoint(rule);
    if (useless !== undefined && rule.ignore)
      warnings.push({ line: section.line, message: `[${section.name}] has no effect: ${useless.text}` });
    else if (useless !== undefined)
      errors.push({ line: lineOf(written, useless.key), message: `${useless.key}: ${useless.text}` });
    const earlier = rules.slice(0, Math.min(index, MOST_COMPARED)).find((one) => covers(one.rule, rule));
    if (earlier !== undefined) warnings.push({ line: section.line, message: neverReached(section, earlier) });
  }
  return { errors, warnings };
}

/** With each section compared to all before it, a file of many thousands would take minutes to check. */
const MOST_COMPARED = 200;

function lineOf({ section }: WrittenRule, key: string): number {
  return section.entries.find((entry) => entry.key === key)?.line ?? section.line;
}

/** The kernel's own rule: "flags must have signal and not subflow when using port". */
function portFaults(written: WrittenRule, addressFlags: Bits<EndpointFlag>): Fault[] {
  const { port, ignore, flags = addressFlags } = written.rule;
  if (port === undefined || ignore || (flags.has("signal") && !flags.has("subflow"))) return [];
  const message = `port: needs the flag signal and not subflow, has ${flags}; add flags=signal`;
  return [{ line: lineOf(written, "port"), message }];
}

function idleKeys({ rule, section }: WrittenRule): Fault[] {
  const idle = section.entries.filter(({ key }) => key !== "ignore" && !key.startsWith("match-"));
  return rule.ignore
    ? idle.map(({ key, line }) => ({
        line,
        message: `${key} has no effect in [${section.name}]: ignore=yes`,
      }))
    : [];
}

function doubtfulKinds(written: WrittenRule): Fault[] {
  const messages = (written.rule.matchKind ?? []).flatMap((kind) => doubtfulKind(kind) ?? []);
  return messages.map((message) => ({
    line: lineOf(written, "match-kind"),
    message: `match-kind: ${message}`,
  }));
}

function neverReached({ name }: IniSection, { rule, section }: WrittenRule): string {
  const isAll = !section.entries.some(({ key }) => key.startsWith("match-"));
  return `[${name}] is never reached: [path ${rule.name}] matches everything${isAll ? "" : " that it does"}`;
}
