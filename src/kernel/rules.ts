import { type RuleMessage, ruleMessage, ruleRequest } from "./messages/codecs.ts";
import { body, type Dump, type NetlinkConnection } from "./netlink/connection.ts";
import type { NetlinkMessage } from "./netlink/wire.ts";
import { RTM_GETRULE, RTM_NEWRULE } from "./rtnetlink.ts";
import { AF_INET, AF_INET6 } from "./socket-numbers.ts";

/**
 * Policy routing rules (net/core/fib_rules.c, fib_nl_fill_rule; include/uapi/linux/fib_rules.h; ip-rule(8)). A rule
 * applies where all that it names is so.
 */
export type Rule = {
  readonly family: 4 | 6;
  /** Lower is asked first. */
  readonly priority: number;
  readonly source?: string;
  readonly sourcePrefixLength: number;
  readonly destination?: string;
  readonly destinationPrefixLength: number;
  readonly incoming?: string;
  /** Of sockets that are bound to this interface. */
  readonly outgoing?: string;
  readonly mark?: number;
  readonly markMask?: number;
  /** FR_ACT_*: 1 look up `table`, 2 go to the rule `goto`, 6 blackhole, 7 unreachable, 8 prohibit. */
  readonly action: number;
  readonly goto?: number;
  readonly table: number;
  /** Routes with a prefix this short or shorter do not count. */
  readonly suppressPrefixLength?: number;
};

/** The rules of a family, in the order in which the kernel asks them. */
export function dumpRules(connection: NetlinkConnection, family: 4 | 6): Promise<Dump<Rule>> {
  const value = { family: family === 4 ? AF_INET : AF_INET6 };
  return connection.dump(
    { what: "list routing rules", type: RTM_GETRULE, body: body(ruleRequest, value) },
    decodeRule,
  );
}

/** The rule of an RTM_NEWRULE; undefined for other messages and other families. */
function decodeRule(message: NetlinkMessage): Rule | undefined {
  if (message.type !== RTM_NEWRULE) return undefined;
  const rule = ruleMessage.decode(message);
  if (rule.family !== AF_INET && rule.family !== AF_INET6) return undefined;
  return toRule(rule);
}

function toRule(decoded: RuleMessage): Rule {
  const { family, shortTable, table = shortTable, suppressPrefixLength } = decoded;
  const { source, destination, incoming, outgoing, mark, markMask, goto } = decoded;
  return {
    family: family === AF_INET ? 4 : 6,
    priority: decoded.priority,
    sourcePrefixLength: decoded.sourcePrefixLength,
    destinationPrefixLength: decoded.destinationPrefixLength,
    ...(source !== undefined && { source }),
    ...(destination !== undefined && { destination }),
    ...(incoming !== undefined && { incoming }),
    ...(outgoing !== undefined && { outgoing }),
    ...(mark !== undefined && { mark }),
    ...(markMask !== undefined && { markMask }),
    action: decoded.action,
    ...(goto !== undefined && { goto }),
    table,
    // All ones: none.
    ...(suppressPrefixLength !== undefined &&
      suppressPrefixLength !== 0xffffffff && { suppressPrefixLength }),
  };
}
