/**
 * Whether an address can be used at all: its class, its scope, its own state and the state of its link. The
 * configuration plays no part here; host-addresses.ts applies it.
 */
import { type Address, addressFlags } from "../../kernel/addresses.ts";
import type { Link } from "../../kernel/links.ts";
import { interfaceName, type Network } from "../network/network.ts";
import type { ReasonCode } from "./decision.ts";

export interface Reason {
  readonly code: ReasonCode;
  readonly text: string;
}

export type AddressClass =
  | "global"
  | "unique-local"
  | "link-local"
  | "loopback"
  | "multicast"
  | "unspecified";

/** Why an address cannot be an endpoint, whatever its link and the configuration say; undefined: it can. */
export function whyUnusable(network: Network, address: Address): Reason | undefined {
  const kind = classOf(address);
  if (kind !== "global" && kind !== "unique-local") return { code: kind, text: `${kind} address` };
  const scope = narrowScopes.get(address.scope);
  if (scope !== undefined) return { code: "scope", text: `address of scope ${scope}` };
  return (address.flags.value & doubtful) === 0 ? undefined : whyNotReady(network, address);
}

/** An address without any of these is ready. */
const doubtful = addressFlags.of("dadFailed", "tentative", "deprecated", "temporary").value;

/** Why no address of a link can be an endpoint, whatever the configuration says. */
export function whyLinkUnusable(network: Network, link: Link): Reason | undefined {
  if (link.flags.has("loopback")) return { code: "loopback", text: "on the loopback interface" };
  // The stack does not use addresses of a port of a bridge, bond or team. It does use addresses of a VRF's member.
  if (link.master !== 0 && masterKind(network, link) !== "vrf")
    return { code: "enslaved", text: `${link.name} is a port of ${interfaceName(network, link.master)}` };
  return whyLinkDown(link);
}

/** Why packets cannot leave by a link right now; undefined: they can. */
export function whyLinkDown(link: Link): Reason | undefined {
  if (!link.flags.has("up")) return { code: "link-down", text: `${link.name} is down` };
  if (link.flags.has("running")) return undefined;
  const never = link.carrierUpCount === 0 ? "has never had" : "has lost its";
  return { code: "no-carrier", text: `${link.name} ${never} carrier` };
}

const classes = new WeakMap<Address, AddressClass>();

/** The class of an address. Remembered for each address object, because every run of the policy asks for it. */
export function classOf(address: Address): AddressClass {
  let known = classes.get(address);
  if (known === undefined) {
    known = classify(address.address);
    classes.set(address, known);
  }
  return known;
}

/** Looks only at the first bits, in the text: the parser of an address library would make additions much slower. */
function classify(address: string): AddressClass {
  if (address === "::") return "unspecified";
  if (address === "::1") return "loopback";
  if (!address.includes(":")) return classifyIpv4(address);
  const first = Number.parseInt(address, 16) || 0;
  if (first >> 8 === 0xff) return "multicast";
  if (first >> 6 === 0xfe80 >> 6) return "link-local";
  return first >> 9 === 0xfc00 >> 9 ? "unique-local" : "global";
}

function classifyIpv4(address: string): AddressClass {
  const first = Number.parseInt(address, 10);
  if (first === 0) return "unspecified";
  if (first === 127) return "loopback";
  if (address.startsWith("169.254.")) return "link-local";
  const multicast = first >> 4 === 0xe || address === "255.255.255.255";
  return multicast ? "multicast" : "global";
}

/**
 * RT_SCOPE_LINK, RT_SCOPE_HOST and RT_SCOPE_NOWHERE. The program that adds an IPv4 address chooses its scope, whatever
 * the address looks like (ip-address(8)). The kernel gives IPv6 addresses the scope of their class
 * (net/ipv6/addrconf.c).
 */
const narrowScopes: ReadonlyMap<number, string> = new Map([
  [253, "link"],
  [254, "host"],
  [255, "nowhere"],
]);

function whyNotReady(network: Network, address: Address): Reason | undefined {
  const { flags } = address;
  if (flags.has("dadFailed")) return { code: "dad-failed", text: "another host has the same address" };
  if (flags.has("tentative")) return { code: "tentative", text: "duplicate address detection is under way" };
  if (flags.has("deprecated")) return { code: "deprecated", text: "its preferred lifetime is over" };
  if (isTemporary(address) && hasStableSibling(network, address))
    return { code: "temporary", text: "temporary address beside a stable one" };
  return undefined;
}

/** IFA_F_TEMPORARY and IFA_F_SECONDARY are the same bit. It means a privacy address (RFC 8981) only on IPv6. */
export function isTemporary(address: Address): boolean {
  return address.family === 6 && address.flags.has("temporary");
}

function hasStableSibling(network: Network, address: Address): boolean {
  return network.addresses.some(
    (other) =>
      other.ifIndex === address.ifIndex &&
      other.family === 6 &&
      !other.flags.has("temporary") &&
      !other.flags.has("tentative") &&
      !other.flags.has("dadFailed") &&
      !other.flags.has("deprecated") &&
      classOf(other) === classOf(address),
  );
}

function masterKind(network: Network, link: Link): string | undefined {
  return link.slaveKind ?? network.links.get(link.master)?.kind;
}
