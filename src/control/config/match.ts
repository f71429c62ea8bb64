import { charactersOfName } from "../../base/bytes.ts";
import { compileGlob } from "../../base/glob.ts";
import { canonicalIp, ipBytes, ipFamily, ipText } from "../../kernel/netlink/ip.ts";
import type { PathRule, Prefix } from "./config.ts";

/** What rules look at of an interface. */
export interface InterfaceSubject {
  /** The interface's name and its alternative names. */
  readonly interfaceNames: readonly string[];
  /** The link kind ("veth", "wireguard" …); undefined for a physical interface. */
  readonly kind: string | undefined;
}

/** One address on one interface. */
export interface MatchSubject extends InterfaceSubject {
  /** Canonical. */
  readonly address: string;
}

/** Whether all that the rule asks for holds; a rule that asks for nothing matches everything. */
export function matchesRule(rule: PathRule, subject: MatchSubject): boolean {
  return matchesInterface(rule, subject) && matchesAddress(rule, subject.address);
}

/** Whether the rule's conditions on interfaces hold. */
export function matchesInterface(rule: PathRule, subject: InterfaceSubject): boolean {
  const { matchInterface, matchKind } = rule;
  return (
    (matchInterface === undefined ||
      subject.interfaceNames.some((name) =>
        matchesAny(matchInterface.map(charactersOfName), charactersOfName(name)),
      )) &&
    (matchKind === undefined || matchesAny(matchKind, subject.kind ?? "physical"))
  );
}

/** Whether the rule's conditions on addresses hold. */
export function matchesAddress({ matchAddress }: PathRule, address: string): boolean {
  return matchAddress === undefined || matchAddress.some((prefix) => contains(prefix, address));
}

function matchesAny(globs: readonly string[], text: string): boolean {
  return globs.some((glob) => compileGlob(glob)?.(text) ?? false);
}

/** Reads "10.0.0.0/8", "fd00::/8" or a bare address; anything else returns what is wrong with it. */
export function parsePrefix(text: string): Prefix | { readonly problem: string } {
  const [head = "", tail, ...rest] = text.split("/");
  const address = canonicalIp(head);
  if (address === undefined || rest.length > 0) {
    return { problem: `"${text}" is not an address or network such as 10.0.0.0/8 or fd00::/8` };
  }
  const family = ipFamily(address);
  const longest = family === 4 ? 32 : 128;
  if (tail !== undefined && (!/^\d{1,3}$/.test(tail) || Number(tail) > longest)) {
    return { problem: `"${text}" has no valid prefix length: 0 to ${longest} for IPv${family}` };
  }
  const length = tail === undefined ? longest : Number(tail);
  const network = ipText(networkOf(address, length));
  if (network !== address) {
    return {
      problem: `"${text}" has bits beyond its length: write ${network}/${length} or ${address}/${longest}`,
    };
  }
  return { family, address, length };
}

/** Whether a canonical address lies in the network. An address of the other family never does. */
export function contains(prefix: Prefix, address: string): boolean {
  if (ipFamily(address) !== prefix.family) return false;
  const network = ipBytes(prefix.address);
  return networkOf(address, prefix.length).every((byte, index) => byte === network[index]);
}

/** Whether all of a network lies in another one. */
export function within(inner: Prefix, outer: Prefix): boolean {
  return inner.length >= outer.length && contains(outer, inner.address);
}

/** The address with zeros after the first `length` bits. */
function networkOf(address: string, length: number): Uint8Array {
  return ipBytes(address).map(
    (byte, index) => byte & (0xff00 >> Math.min(8, Math.max(0, length - index * 8))) & 0xff,
  );
}
