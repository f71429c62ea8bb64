/**
 * Finds faults of [path] sections, and conditions that no address can ever fulfil, though they look as if one could.
 */
import { canMatch, matchesGlob } from "../../base/glob.ts";
import { didYouMean, quote } from "../../base/text.ts";
import type { EndpointFlag } from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import type { PathRule, Prefix } from "./config.ts";
import type { Fault, IniSection } from "./ini-file.ts";
import { within } from "./match.ts";

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

/** Why an item of `match-interface` can match no interface; undefined: it can. */
export function whyNoInterface(glob: string): string | undefined {
  const foreign = foreignSyntax(glob);
  if (foreign !== undefined) return foreign;
  if (canMatch(glob, interfaceName)) return undefined;
  return `${quote(glob)} can never match: names have no blanks, / and :, and at most ${interfaceName.longest} bytes`;
}

/** Why an item of `match-kind` can match no interface; undefined: it can. */
export function whyNoKind(glob: string): string | undefined {
  const foreign = foreignSyntax(glob);
  if (foreign !== undefined) return foreign;
  const meant = otherWords.get(glob.toLowerCase());
  if (meant !== undefined) return `${quote(glob)} can never match: Linux calls that kind ${meant}`;
  if (canMatch(glob, linkKind)) return undefined;
  return `${quote(glob)} can never match: kinds have lower-case letters, digits and _ . - only`;
}

/** Why a network holds no address of any interface; undefined: it can. */
export function whyNoAddress(text: string, prefix: Prefix): string | undefined {
  if (!within(prefix, mapped)) return undefined;
  const ipv4 = prefix.length === 128 ? "the IPv4 address" : "the IPv4 network";
  return `${quote(text)} can never match: it is IPv4 written as IPv6; write ${ipv4}, such as 10.0.0.0/8`;
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

interface Useless {
  readonly key: string;
  readonly text: string;
}

/** What to warn of for an item of `match-kind` that is nearly the name of a kind; undefined: nothing. */
function doubtfulKind(glob: string): string | undefined {
  if (/[*?[]/.test(glob) || knownKinds.includes(glob)) return undefined;
  const hint = didYouMean(glob, knownKinds);
  return hint === "" ? undefined : `${quote(glob)} is not a kind of interface that is known${hint}`;
}

/** Why addresses that a rule matches are never endpoints, whatever it says; undefined: they may be. */
function whyNoEndpoint({ matchInterface, matchAddress }: PathRule): Useless | undefined {
  if (matchInterface?.every((glob) => glob === "lo"))
    return { key: "match-interface", text: "addresses of lo are never endpoints" };
  if (matchAddress?.every((prefix) => neverEndpoints.some((network) => within(prefix, network))))
    return {
      key: "match-address",
      text: "loopback, link-local, multicast and unspecified addresses are never endpoints",
    };
  return undefined;
}

/** Whether everything that the second rule matches is matched by the first one. */
function covers(first: PathRule, second: PathRule): boolean {
  return (
    coversList(first.matchInterface, second.matchInterface, coversGlob) &&
    coversList(first.matchKind, second.matchKind, coversGlob) &&
    coversList(first.matchAddress, second.matchAddress, (outer, inner) => within(inner, outer))
  );
}

/** Alternative names may have 127 bytes, the name itself 15 (include/uapi/linux/if.h: ALTIFNAMSIZ, IFNAMSIZ). */
const interfaceName = { longest: 127, allows: (character: string) => !/[\s/:]/.test(character) };
/** The name of a module, at most 55 bytes (include/linux/moduleparam.h, MODULE_NAME_LEN). */
const linkKind = { longest: 55, allows: (character: string) => /[a-z0-9_.-]/.test(character) };

/** What other programs have as patterns: `!lo`, `~^eth`, `eth+`, `^eth$`, `eth0|eth1`. */
function foreignSyntax(glob: string): string | undefined {
  const [sign] = /^[!~^]|[$+]$|[|(){}\\]/.exec(glob.replace(/\[[^\]]*\]/g, "")) ?? [];
  if (sign === undefined) return undefined;
  const advice =
    sign === "!"
      ? "to leave something out, put a section with ignore=yes before this one"
      : "allowed are *, ? and [...]";
  return `${quote(glob)} can never match: ${quote(sign)} has no meaning in a glob; ${advice}`;
}

const otherWords: ReadonlyMap<string, string> = new Map([
  ...["ethernet", "ether", "eth", "hardware", "nic", "wifi", "wlan", "wireless"].map(
    (word) => [word, "physical"] as const,
  ),
  ["tap", "tun"],
  ["wg", "wireguard"],
  ["bonding", "bond"],
]);

/** `physical`, and those of Linux that carry addresses. */
const knownKinds = [
  ...["physical", "bond", "bridge", "dsa", "dummy", "geneve", "gre", "gretap", "hsr", "ip6gre", "ip6gretap"],
  ...["ip6tnl", "ipip", "ipoib", "ipvlan", "ipvtap", "macsec", "macvlan", "macvtap", "netkit", "openvswitch"],
  ...[
    "ovpn",
    "ppp",
    "rmnet",
    "sit",
    "team",
    "tun",
    "veth",
    "vlan",
    "vrf",
    "vti",
    "vti6",
    "vxlan",
    "wireguard",
  ],
  ...["wwan", "xfrm", "amneziawg", "batadv", "ifb"],
];

const mapped: Prefix = { family: 6, address: "::ffff:0:0", length: 96 };

const neverEndpoints: readonly Prefix[] = [
  { family: 4, address: "0.0.0.0", length: 8 },
  { family: 4, address: "127.0.0.0", length: 8 },
  { family: 4, address: "169.254.0.0", length: 16 },
  { family: 4, address: "224.0.0.0", length: 4 },
  { family: 4, address: "255.255.255.255", length: 32 },
  { family: 6, address: "::", length: 127 },
  { family: 6, address: "fe80::", length: 10 },
  { family: 6, address: "ff00::", length: 8 },
];

function coversList<T>(
  first: readonly T[] | undefined,
  second: readonly T[] | undefined,
  coversOne: (outer: T, inner: T) => boolean,
): boolean {
  return (
    first === undefined || (second?.every((inner) => first.some((outer) => coversOne(outer, inner))) ?? false)
  );
}

/** Says no where it cannot tell. */
function coversGlob(outer: string, inner: string): boolean {
  if (outer === inner || outer === "*") return true;
  if (!/[*?[]/.test(inner)) return matchesGlob(inner, outer);
  const [, start] = /^([^*?[]+)\*$/.exec(outer) ?? [];
  return start !== undefined && inner.startsWith(start);
}
