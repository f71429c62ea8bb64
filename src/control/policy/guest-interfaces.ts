import type { Link } from "../../kernel/links.ts";
import { isBuiltIn, type PathRule } from "../config/config.ts";
import { ARPHRD_ETHER, type Network } from "../network/network.ts";
import type { Reason } from "./address-state.ts";

/**
 * Why an interface leads to containers or virtual machines of this host, and not to a network outside; undefined: it
 * may lead out. The kernel's facts about the interface decide; where they do not tell, the built-in rule decides by
 * name. An administrator's rule that names the interface or its kind overrides both.
 */
export function whyGuests(behind: Behind, rule: PathRule | undefined): Reason | undefined {
  const byName = rule !== undefined && isBuiltIn(rule);
  if (!byName && (rule?.matchInterface !== undefined || rule?.matchKind !== undefined)) return undefined;
  if (behind === "unknown" && byName) return { code: "ignored", text: ignoredBy(rule) };
  if (typeof behind === "string") return undefined;
  return { code: "guests", text: `leads to guests of this host: ${behind.guests}, no default route` };
}

export function ignoredBy({ name, source }: PathRule): string {
  return `ignored by [path ${name}] (${source})`;
}

/** Where an interface leads: out, to guests of this host (and why), or the kernel cannot tell. */
export type Behind = "out" | "unknown" | { readonly guests: string };

/** Tunnels between the containers of several hosts, ports of Open vSwitch, and those of virtual machines. */
const guestKinds: ReadonlySet<string> = new Set(["vxlan", "geneve", "openvswitch", "macvtap", "ipvtap"]);
const pairKinds: ReadonlySet<string> = new Set(["veth", "netkit"]);
/** As a port of a bridge, such an interface belongs to a virtual machine, or to nobody. */
const guestPortKinds: ReadonlySet<string> = new Set([...guestKinds, "tun", "dummy", "ifb"]);

/** @param seen the links that are already being judged: a veth pair may join two bridges */
export function lookBehind(network: Network, link: Link, seen: Set<number> = new Set()): Behind {
  if (seen.has(link.index)) return { guests: `it leads back to ${link.name}` };
  seen.add(link.index);
  const { kind } = link;
  if (hasWayOut(network, link) || link.parentDevice !== undefined) return "out";
  if (kind === "bridge") return behindBridge(network, link, seen);
  if (kind !== undefined && guestKinds.has(kind)) return { guests: `${kind} device` };
  if (kind !== undefined && pairKinds.has(kind)) return behindPair(network, link, seen);
  if (kind === "tun" && link.type === ARPHRD_ETHER && link.vnetHeader)
    return { guests: "TAP device of a virtual machine" };
  if (isSoftwareEthernet(network, link)) return { guests: "Ethernet device without hardware" };
  const lower = link.lower === undefined ? undefined : network.links.get(link.lower);
  if (lower === undefined) return "unknown";
  const below = lookBehind(network, lower, seen);
  return typeof below === "string" ? below : { guests: `on ${lower.name}, which leads to guests` };
}

function behindBridge(network: Network, bridge: Link, seen: Set<number>): Behind {
  const ports = [...network.links.values()].filter(({ master }) => master === bridge.index);
  if (ports.length === 0) return { guests: "bridge without ports" };
  const behind = ports.map((port) => behindPort(network, port, seen));
  if (behind.includes("out")) return "out";
  // The host's end of a container's veth looks like the uplink inside a container. But if the host's traffic leaves by
  // another interface, a bridge of such ports does not lead out.
  if (behind.includes("unknown") && network.defaultRoutes.length === 0) return "unknown";
  const [first, second, third] = ports.map(({ name }) => name);
  const names = [first, second, ...(third === undefined ? [] : ["…"])].filter((name) => name !== undefined);
  return { guests: `bridge of ${names.join(", ")}` };
}

function behindPort(network: Network, port: Link, seen: Set<number>): Behind {
  if (hasWayOut(network, port)) return "out";
  if (port.kind !== undefined && guestPortKinds.has(port.kind)) return { guests: port.kind };
  const behind = lookBehind(network, port, seen);
  // A bond, a VLAN whose lower interface is in another namespace, or hardware that the kernel does not name.
  return behind === "unknown" && !pairKinds.has(port.kind ?? "") ? "out" : behind;
}

/** If the other end is in this namespace too, its bridge matters. */
function behindPair(network: Network, link: Link, seen: Set<number>): Behind {
  const end = link.lower === undefined ? undefined : network.links.get(link.lower);
  // Check that each end names the other: an interface that came later may have the same index.
  if (end === undefined || end.lower !== link.index) return "unknown";
  const master = end.master === 0 ? undefined : network.links.get(end.master);
  // Cilium has such a pair. On a host without any way out, somebody may be trying something with a pair.
  if (master === undefined)
    return network.defaultRoutes.length === 0
      ? "unknown"
      : { guests: `its other end ${end.name} is on this host` };
  const behind = lookBehind(network, master, seen);
  return typeof behind === "string"
    ? behind
    : { guests: `plugged into ${master.name}, which leads to guests` };
}

/**
 * Whether a default route leaves by a link, in any table and of either family. A route whose gateway is an address of
 * this host does not count: Cilium takes packets to its proxy by such a route.
 */
function hasWayOut(network: Network, link: Link): boolean {
  return network.defaultRoutes.some(({ hops }) =>
    hops.some(
      ({ ifIndex, gateway }) =>
        ifIndex === link.index && !network.addresses.some(({ address }) => address === gateway),
    ),
  );
}

/** VirtualBox and VMware make such devices. Kernels before 5.14 never name hardware, so there this cannot be told. */
function isSoftwareEthernet({ links }: Network, { kind, type, parentDevice, flags }: Link): boolean {
  if (kind !== undefined || type !== ARPHRD_ETHER || parentDevice !== undefined) return false;
  return !flags.has("loopback") && [...links.values()].some((other) => other.parentDevice !== undefined);
}
