import { type LinkMessage, linkMessage, linkRequest, tunData } from "./messages/codecs.ts";
import { type LinkFlag, linkExtensions } from "./messages/flags.ts";
import type { Bits } from "./netlink/bits.ts";
import { body, type Dump, type NetlinkConnection } from "./netlink/connection.ts";
import { KernelError } from "./netlink/errors.ts";
import { Input, type NetlinkMessage } from "./netlink/wire.ts";
import { type Change, RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK } from "./rtnetlink.ts";
import { AF_UNSPEC } from "./socket-numbers.ts";

export { type LinkFlag, linkFlags } from "./messages/flags.ts";

/** Network interfaces (net/core/rtnetlink.c, rtnl_fill_ifinfo; include/uapi/linux/if_link.h; netdevice(7)). */
export type Link = {
  /** From 1. Stays with the interface for its life in this namespace. */
  readonly index: number;
  readonly name: string;
  readonly altNames: readonly string[];
  /** What made it: "veth", "wireguard", "tun"…; hardware has none. */
  readonly kind?: string;
  /** The kind of its master, as it is part of it: "bridge", "bond", "vrf"… */
  readonly slaveKind?: string;
  /** ARPHRD_*: 1 Ethernet, 772 loopback, 65534 none (tun, WireGuard). */
  readonly type: number;
  readonly flags: Bits<LinkFlag>;
  readonly operState: OperState;
  /** The interface that this one is enslaved to; 0 none. */
  readonly master: number;
  /**
   * The interface below a VLAN, macvlan and the like, or the other end of a veth (IFLA_LINK). Absent where there is
   * none, or where it is in another network namespace.
   */
  readonly lower?: number;
  /** The device that hardware hangs on, such as a PCI address (since Linux 5.14). Absent for software interfaces. */
  readonly parentDevice?: string;
  /** Of a TUN or TAP device (kind "tun"): packets carry virtio headers, as virtual machine monitors ask for. */
  readonly vnetHeader?: boolean;
  /** How often the carrier came, since Linux 4.16. 0: it never had one. */
  readonly carrierUpCount?: number;
  readonly mtu?: number;
};

/** IF_OPER_* by number (RFC 2863, Documentation/networking/operstates.rst). */
export const operStates = [
  "unknown",
  "notpresent",
  "down",
  "lowerlayerdown",
  "testing",
  "dormant",
  "up",
] as const;
export type OperState = (typeof operStates)[number];

/** Every link of the namespace. */
export function dumpLinks(connection: NetlinkConnection): Promise<Dump<Link>> {
  const value = { family: AF_UNSPEC, extensions: linkExtensions.of("skipStats") };
  return connection.dump(
    { what: "list links", type: RTM_GETLINK, body: body(linkRequest, value) },
    decodeLink,
  );
}

/** One link; undefined if there is none with this index. */
export async function getLink(connection: NetlinkConnection, index: number): Promise<Link | undefined> {
  const value = { family: AF_UNSPEC, index, extensions: linkExtensions.of("skipStats") };
  const request = { what: `get link ${index}`, type: RTM_GETLINK, body: body(linkRequest, value) };
  try {
    return (await connection.get(request, decodeLink))[0];
  } catch (error) {
    if (error instanceof KernelError && error.code === "ENODEV") return undefined;
    throw error;
  }
}

/**
 * The link of an RTM_NEWLINK or RTM_DELLINK. Undefined for messages that are about something else: those of another
 * family speak of a bridge's port (RTM_DELLINK of AF_BRIDGE: a port left), wireless events hold next to nothing of the
 * link (net/wireless/wext-core.c).
 */
export function decodeLink(message: NetlinkMessage): Link | undefined {
  if (message.type !== RTM_NEWLINK && message.type !== RTM_DELLINK) return undefined;
  const link = linkMessage.decode(message);
  return link.family === AF_UNSPEC && link.wireless === undefined && link.name !== undefined
    ? toLink(link, link.name)
    : undefined;
}

/** "new" is also a change of any kind; "deleted" also a move to another namespace. */
export function decodeLinkEvent(message: NetlinkMessage): Change<"link", Link> | undefined {
  const link = decodeLink(message);
  return link && { change: message.type === RTM_NEWLINK ? "new" : "deleted", link };
}

function toLink(link: LinkMessage, name: string): Link {
  const { index, type, flags, master, lower, lowerNamespace, mtu, carrierUpCount, info, parentDevice } = link;
  const hasLower = lower !== undefined && lower !== 0 && lowerNamespace === undefined;
  return {
    index,
    name,
    altNames: link.properties?.altNames ?? [],
    ...(info?.kind !== undefined && { kind: info.kind }),
    ...(info?.slaveKind !== undefined && { slaveKind: info.slaveKind }),
    type,
    flags,
    operState: operStates[link.operState] ?? "unknown",
    master,
    ...(hasLower && { lower }),
    ...(parentDevice !== undefined && { parentDevice }),
    ...(info?.kind === "tun" && info.data !== undefined && vnetHeaderOf(info.data)),
    ...(carrierUpCount !== undefined && { carrierUpCount }),
    ...(mtu !== undefined && { mtu }),
  };
}

function vnetHeaderOf(data: Uint8Array): { vnetHeader?: boolean } {
  const { vnetHeader } = tunData.decode({ input: new Input(data), start: 0, end: data.length });
  return vnetHeader === undefined ? {} : { vnetHeader: vnetHeader !== 0 };
}
