/** Where routes lead: the next hops in a route's own message, and next-hop objects that routes name by their id. */
import { nextHopMessage, nextHopRequest } from "./messages/codecs.ts";
import { body, type NetlinkConnection } from "./netlink/connection.ts";
import { littleEndian, type NetlinkMessage } from "./netlink/wire.ts";
import { RTM_GETNEXTHOP, RTM_NEWNEXTHOP } from "./rtnetlink.ts";
import { AF_UNSPEC } from "./socket-numbers.ts";

/** A next hop of a route. */
export type Hop = {
  readonly ifIndex: number;
  /** Absent where the destination is on the link itself. May be IPv6 for an IPv4 route (RTA_VIA). */
  readonly gateway?: string;
  /** From 1; shares of flows. */
  readonly weight: number;
  /** The kernel does not use it: its link is down (RTNH_F_DEAD). */
  readonly dead?: true;
};

/**
 * Next-hop objects, which routes name by their id (net/ipv4/nexthop.c, include/uapi/linux/nexthop.h, ip-nexthop(8)).
 * Routing daemons such as FRR use them.
 */
export type NextHopObject = {
  readonly id: number;
  /** The interface; undefined for a group and for a blackhole. */
  readonly ifIndex?: number;
  readonly gateway?: string;
  /** The members of a group: a group has no groups as members. */
  readonly group: readonly { readonly id: number; readonly weight: number }[];
};

/** The routes, with the hops of those that only name a next-hop object. Asks the kernel only if there are such. */
export async function withHops<Route extends Leading>(
  connection: NetlinkConnection,
  routes: readonly Route[],
): Promise<Route[]> {
  if (!routes.some(needsHops)) return [...routes];
  const objects = new Map((await dumpNextHops(connection)).map((object) => [object.id, object]));
  return routes.map((route) =>
    needsHops(route) ? { ...route, hops: hopsOf(route.nextHopId ?? 0, objects) } : route,
  );
}

/** What a route says of where it leads. */
type Leading = { readonly hops: readonly Hop[]; readonly nextHopId?: number };

/** Every next-hop object of the namespace. */
export async function dumpNextHops(connection: NetlinkConnection): Promise<readonly NextHopObject[]> {
  const request = {
    what: "list next hops",
    type: RTM_GETNEXTHOP,
    body: body(nextHopRequest, { family: AF_UNSPEC }),
  };
  return (await connection.dump(request, decodeNextHop)).items;
}

function decodeNextHop(message: NetlinkMessage): NextHopObject | undefined {
  if (message.type !== RTM_NEWNEXTHOP) return undefined;
  const { id, group, ifIndex, gateway } = nextHopMessage.decode(message);
  if (id === undefined) return undefined;
  return {
    id,
    ...(ifIndex !== undefined && { ifIndex }),
    ...(gateway !== undefined && { gateway }),
    group: group === undefined ? [] : membersOf(group),
  };
}

/** struct nexthop_grp: u32 id, u8 weight less one, u8 its upper half (since Linux 6.12), two bytes to spare. */
function membersOf(group: Uint8Array): NextHopObject["group"] {
  const view = new DataView(group.buffer, group.byteOffset, group.byteLength);
  return Array.from({ length: Math.floor(group.byteLength / 8) }, (_, index) => ({
    id: view.getUint32(8 * index, littleEndian),
    weight: view.getUint8(8 * index + 4) + 256 * view.getUint8(8 * index + 5) + 1,
  }));
}

function needsHops({ hops, nextHopId }: Leading): boolean {
  return hops.length === 0 && nextHopId !== undefined;
}

function hopsOf(id: number, objects: ReadonlyMap<number, NextHopObject>): Hop[] {
  const object = objects.get(id);
  const members = object?.group.length ? object.group : [{ id, weight: 1 }];
  return members.flatMap((member) => {
    const { ifIndex, gateway } = objects.get(member.id) ?? {};
    return ifIndex === undefined
      ? []
      : [{ ifIndex, weight: member.weight, ...(gateway !== undefined && { gateway }) }];
  });
}
