/** Routes and rules in the manner of ip-route(8) and ip-rule(8). */
import { type Hop, type Route, RT_TABLE_MAIN, RTN_UNICAST } from "../../kernel/routes.ts";
import type { Rule } from "../../kernel/rules.ts";

/** "default via 10.0.1.1 dev eth1 proto dhcp metric 100" */
export function routeLine(route: Route, nameOf: (ifIndex: number) => string): string {
  const { destination, prefixLength, family, type, table, protocol, metric, source, hops } = route;
  const hopWords = ({ gateway, ifIndex, weight }: Hop) => [
    ...(gateway === undefined ? [] : ["via", gateway]),
    ...["dev", nameOf(ifIndex)],
    ...(hops.length > 1 ? ["weight", String(weight)] : []),
  ];
  return [
    ...(type === RTN_UNICAST ? [] : [routeTypes.get(type) ?? `type ${type}`]),
    // IPv6's would look like IPv4's.
    destination === undefined ? `default${family === 6 ? " (IPv6)" : ""}` : `${destination}/${prefixLength}`,
    ...(hops.length > 1
      ? hops.map((hop) => `nexthop ${hopWords(hop).join(" ")}`)
      : hops.flatMap((hop) => hopWords(hop))),
    ...(source === undefined ? [] : ["src", source]),
    ...(table === RT_TABLE_MAIN ? [] : ["table", tableName(table)]),
    ...["proto", protocols.get(protocol) ?? String(protocol)],
    ...(metric === 0 ? [] : ["metric", String(metric)]),
  ].join(" ");
}

/** "1000: from 10.0.1.2/32 lookup 100" */
export function ruleLine(rule: Rule): string {
  const { priority, family, source, sourcePrefixLength, destination, destinationPrefixLength } = rule;
  const { mark, markMask, incoming, outgoing, suppressPrefixLength } = rule;
  const markText = mark === undefined ? "" : `0x${mark.toString(16)}`;
  const maskText = markMask === undefined || markMask === 0xffffffff ? "" : `/0x${markMask.toString(16)}`;
  return [
    `${priority}:`,
    ...(family === 6 ? ["(IPv6)"] : []),
    ...["from", source === undefined ? "all" : `${source}/${sourcePrefixLength}`],
    ...(destination === undefined ? [] : ["to", `${destination}/${destinationPrefixLength}`]),
    ...(mark === undefined && !markMask ? [] : ["fwmark", (markText || "0x0") + maskText]),
    ...(incoming === undefined ? [] : ["iif", incoming]),
    ...(outgoing === undefined ? [] : ["oif", outgoing]),
    actionText(rule),
    ...(suppressPrefixLength === undefined ? [] : ["suppress_prefixlength", String(suppressPrefixLength)]),
  ].join(" ");
}

function actionText({ action, table, goto }: Rule): string {
  if (action === 1) return `lookup ${tableName(table)}`;
  if (action === 2) return `goto ${goto}`;
  return ruleActions.get(action) ?? `action ${action}`;
}

function tableName(table: number): string {
  return tables.get(table) ?? String(table);
}

const tables: ReadonlyMap<number, string> = new Map([
  [253, "default"],
  [RT_TABLE_MAIN, "main"],
  [255, "local"],
]);

/** RTN_* */
const routeTypes: ReadonlyMap<number, string> = new Map([
  [2, "local"],
  [3, "broadcast"],
  [4, "anycast"],
  [5, "multicast"],
  [6, "blackhole"],
  [7, "unreachable"],
  [8, "prohibit"],
  [9, "throw"],
]);

/** FR_ACT_* */
const ruleActions: ReadonlyMap<number, string> = new Map([
  [3, "nop"],
  [6, "blackhole"],
  [7, "unreachable"],
  [8, "prohibit"],
]);

/** RTPROT_* (include/uapi/linux/rtnetlink.h) */
const protocols: ReadonlyMap<number, string> = new Map([
  [1, "redirect"],
  [2, "kernel"],
  [3, "boot"],
  [4, "static"],
  [9, "ra"],
  [16, "dhcp"],
]);
