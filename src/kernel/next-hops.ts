/** Where routes lead: the next hops in a route's own message, and next-hop objects that routes name by their id. */
import { body, type NetlinkConnection } from "./netlink/connection.ts";
import { NetlinkProtocolError } from "./netlink/errors.ts";
import { ipBytes } from "./netlink/ip.ts";
import { bytes, codec, type Decoded, ip, message, s32, struct, u8, u16, u32 } from "./netlink/schema.ts";
import { align4, littleEndian, type NetlinkMessage } from "./netlink/wire.ts";
import { RTM_GETNEXTHOP, RTM_NEWNEXTHOP } from "./rtnetlink.ts";
import { AF_INET, AF_INET6, AF_UNSPEC } from "./socket-numbers.ts";

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

const header = struct({ family: u8, scope: u8, protocol: u8, reserved: u8, flags: u32 });

/** struct nhmsg and NHA_*. */
const nextHopMessage = message({
  header,
  attributes: { id: u32(1), group: bytes(2), ifIndex: u32(5), gateway: ip(6) },
});

const nextHopRequest = message({ header, attributes: {} });

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

// The parts of a route that are not plain attributes (include/uapi/linux/rtnetlink.h).

/** RTA_VIA, struct rtvia: a gateway of another family than the route's. */
export const via = codec<string>({
  label: "rtvia",
  minimum: 2,
  shape: { kind: "ip" },
  accepts: ip.accepts,
  read: (input, start, end) => ip.read(input, start + 2, end),
  write(output, address) {
    const bytes = ipBytes(address);
    u16.write(output, bytes.length === 4 ? AF_INET : AF_INET6);
    output.append(bytes);
  },
});

/** struct rtnexthop and the attributes of its own. */
const rtnexthop = message({
  header: struct({ length: u16, flags: u8, weightLessOne: u8, ifIndex: s32 }),
  attributes: { gateway: ip(5), via: via(18) },
});

/** As the message has it, less its length. */
type NextHop = Omit<Decoded<typeof rtnexthop>, "length">;

const nextHop = codec<NextHop>({
  label: "next hop",
  minimum: rtnexthop.minimum,
  shape: {
    kind: "record",
    nested: false,
    grows: false,
    fields: {
      flags: { presence: "default", codecs: [u8] },
      weightLessOne: { presence: "default", codecs: [u8] },
      ifIndex: { presence: "default", codecs: [s32] },
      gateway: { presence: "optional", codecs: [ip] },
      via: { presence: "optional", codecs: [via] },
    },
  },
  accepts: (value): value is NextHop => rtnexthop.accepts(value),
  read(input, start, end) {
    const { length: _, ...hop } = rtnexthop.read(input, start, end);
    return hop;
  },
  write(output, hop) {
    const start = output.length;
    rtnexthop.write(output, hop);
    output.view.setUint16(start, output.length - start, littleEndian);
  },
});

/** RTA_MULTIPATH: struct rtnexthop after struct rtnexthop, each with its length, its attributes included. */
export const nextHops = codec<readonly NextHop[]>({
  label: "next hops",
  shape: { kind: "list", of: nextHop },
  accepts: (value): value is readonly NextHop[] =>
    Array.isArray(value) && value.every((hop) => nextHop.accepts(hop)),
  read(input, start, end) {
    const hops: NextHop[] = [];
    for (let at = start; at < end; ) {
      const left = end - at;
      const length = left < nextHop.minimum ? 0 : input.view.getUint16(at, littleEndian);
      if (length < nextHop.minimum || length > left)
        throw new NetlinkProtocolError(`a next hop has a length of ${length} where ${left} bytes are left`, {
          offset: at,
          length,
        });
      hops.push(nextHop.read(input, at, at + length));
      at += align4(length);
    }
    return hops;
  },
  write(output, hops) {
    for (const hop of hops) nextHop.write(output, hop);
  },
});
