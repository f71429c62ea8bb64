import type { PathRule } from "../config/config.ts";
import type { Link } from "../kernel/links.ts";
import type { Network } from "../network/network.ts";
import { ARPHRD_ETHER } from "../network/network.ts";
import type { Reason } from "./usability.ts";
import { isOfHostOnly } from "./usability.ts";

/**
 * Why an interface leads to containers or virtual machines of this host and not to a network outside: by what the kernel
 * knows of it. Undefined: it may lead out. An interface with a default route always leads out, whatever it is. A rule that
 * names the interface or its kind decides in place of this.
 */
export function whyGuests(network: Network, link: Link, rule: PathRule | undefined): Reason | undefined {
  if (rule?.matchInterface !== undefined || rule?.matchKind !== undefined) return undefined;
  const why = guestsBehind(network, link, new Set());
  if (why === undefined) return undefined;
  return { code: "guests", text: `leads to guests of this host: ${why}, no default route` };
}

/** What makes the kernel's tunnels between containers of several hosts, and ports of Open vSwitch and of VMs. */
const guestKinds: ReadonlySet<string> = new Set(["vxlan", "geneve", "openvswitch", "macvtap", "ipvtap"]);
const pairKinds: ReadonlySet<string> = new Set(["veth", "netkit"]);
/** As the port of a bridge, such an interface is the virtual machine's end, or nobody's. */
const guestPortKinds: ReadonlySet<string> = new Set([...guestKinds, "tun", "dummy", "ifb"]);

/**
 * Names that programs give to interfaces of guests, for what the kernel cannot tell: the host's end of a veth looks like the
 * end in a container, and a container network's tunnel like any other.
 */
const guestNames =
  /^(docker|br-|virbr|veth|cni|cali|podman|lxc|lxdbr|incusbr|ve-|eni|azv|gke|vboxnet\d|vmnet\d|flannel|cilium_|tunl0$|wireguard\.cali|wg-v6\.cali)/;

/** `seen`: the links that are being judged already, as two bridges may be joined by a pair. */
function guestsBehind(network: Network, link: Link, seen: Set<number>): string | undefined {
  if (seen.has(link.index)) return `${link.name} leads back`;
  seen.add(link.index);
  const { kind } = link;
  if (hasWayOut(network, link) || link.parentDevice !== undefined) return undefined;
  if (kind === "bridge") return bridgeOfGuests(network, link, seen);
  if (kind !== undefined && guestKinds.has(kind)) return `${kind} device`;
  const end = otherEnd(network, link);
  if (end !== undefined) return behindPair(network, end, seen);
  if (kind === "tun" && link.type === ARPHRD_ETHER && link.vnetHeader)
    return "TAP device of a virtual machine";
  if (isSoftwareEthernet(network, link)) return "Ethernet device without hardware";
  if (guestNames.test(link.name)) return `${kind ?? "interface"} named ${link.name}`;
  const lower = link.lower === undefined ? undefined : network.links.get(link.lower);
  if (lower === undefined || (kind !== undefined && pairKinds.has(kind))) return undefined;
  return guestsBehind(network, lower, seen) && `on ${lower.name}, which leads to guests`;
}

function bridgeOfGuests(network: Network, bridge: Link, seen: Set<number>): string | undefined {
  const ports = [...network.links.values()].filter(({ master }) => master === bridge.index);
  if (ports.some((port) => portLeadsOut(network, port, seen))) return undefined;
  if (ports.length === 0) return "bridge without ports";
  const [first, second, third] = ports.map(({ name }) => name);
  const names = [first, second, ...(third === undefined ? [] : ["…"])].filter((name) => name !== undefined);
  return `bridge of ${names.join(", ")}`;
}

function portLeadsOut(network: Network, port: Link, seen: Set<number>): boolean {
  if (hasWayOut(network, port)) return true;
  if (port.kind !== undefined && guestPortKinds.has(port.kind)) return false;
  // A veth whose other end is a guest's is bare; one that has an address is how this host itself is attached.
  if (port.kind !== undefined && pairKinds.has(port.kind) && otherEnd(network, port) === undefined)
    return network.addresses.some((address) => address.ifIndex === port.index && !isOfHostOnly(address));
  return guestsBehind(network, port, seen) === undefined;
}

/** The other end of a pair is in this namespace too: what matters is the bridge that it is plugged into. */
function behindPair(network: Network, end: Link, seen: Set<number>): string | undefined {
  const master = end.master === 0 ? undefined : network.links.get(end.master);
  if (master === undefined) return `its other end ${end.name} is on this host`;
  return guestsBehind(network, master, seen) && `plugged into ${master.name}, which leads to guests`;
}

/** Each end of a pair names the other; an index alone may be that of a link which came later. */
function otherEnd(network: Network, link: Link): Link | undefined {
  if (link.kind === undefined || !pairKinds.has(link.kind) || link.lower === undefined) return undefined;
  const end = network.links.get(link.lower);
  return end?.lower === link.index ? end : undefined;
}

/**
 * Whether a default route leaves by a link, in any table and of either family. Not if its gateway is an address of this
 * host, which is how Cilium takes packets to its proxy.
 */
function hasWayOut(network: Network, link: Link): boolean {
  return network.defaultRoutes.some(({ hops }) =>
    hops.some(
      ({ ifIndex, gateway }) =>
        ifIndex === link.index && !network.addresses.some(({ address }) => address === gateway),
    ),
  );
}

/** As VirtualBox and VMware make them. Kernels that never name hardware (before 5.14) cannot tell. */
function isSoftwareEthernet({ links }: Network, { kind, type, parentDevice, flags }: Link): boolean {
  if (kind !== undefined || type !== ARPHRD_ETHER || parentDevice !== undefined) return false;
  return !flags.has("loopback") && [...links.values()].some((other) => other.parentDevice !== undefined);
}
