/**
 * The messages of routing netlink (rtnetlink(7)). The objects that they tell of are in addresses.ts, links.ts
 * and others of the directory above.
 */
import { ipBytes } from "../netlink/ip.ts";
import { badLink } from "../netlink/message-codec.ts";
import {
  attributes,
  bits,
  bitsOf,
  bytes,
  codec,
  type Decoded,
  ip,
  message,
  nested,
  repeated,
  s32,
  string,
  struct,
  u8,
  u16,
  u32,
  withDefault,
} from "../netlink/schema.ts";
import { align4, littleEndian } from "../netlink/wire.ts";
import { addressFlags, linkExtensions, linkFlags, routeFlags } from "./flags.ts";

/** struct ifaddrmsg and IFA_*. */
export const addressMessage = message({
  header: struct({
    family: u8,
    prefixLength: u8,
    oldFlags: bitsOf(u8, addressFlags),
    scope: u8,
    ifIndex: u32,
  }),
  attributes: {
    address: ip(1),
    local: ip(2),
    cacheInfo: struct({ preferred: u32, valid: u32, created: u32, updated: u32 })(6),
    flags: bits(8, addressFlags),
  },
});

/** A request for addresses: all, of one family, of one interface (the latter since Linux 4.20, else all come). */
export const addressRequest = message({
  header: struct({ family: u8, prefixLength: u8, flags: u8, scope: u8, ifIndex: u32 }),
  attributes: {},
});

/** struct ifinfomsg and the attributes (IFLA_*) that are of use here. */
export const linkMessage = message({
  header: struct({ family: u8, type: u16, index: s32, flags: bitsOf(u32, linkFlags), change: u32 }),
  attributes: {
    name: string(3),
    mtu: u32(4),
    lower: u32(5),
    master: withDefault(u32(10), 0),
    wireless: bytes(11),
    operState: withDefault(u8(16), 0),
    info: nested(18, attributes({ kind: string(1), data: bytes(2), slaveKind: string(4) })),
    lowerNamespace: s32(37),
    carrierUpCount: u32(47),
    properties: nested(52, attributes({ altNames: repeated(string(53)) })),
    parentDevice: string(56),
  },
});

/** IFLA_TUN_* inside IFLA_INFO_DATA, which means something else for each kind. */
export const tunData = attributes({ vnetHeader: u8(5) });

/** A request for links: all, or one by its index. */
export const linkRequest = message({
  header: struct({ family: u8, type: u16, index: s32, flags: u32, change: u32 }),
  attributes: { extensions: bits(29, linkExtensions) },
});

/** RTA_VIA, struct rtvia: a gateway of another family than the route's. */
const via = codec<string>({
  label: "rtvia",
  minimum: 2,
  shape: { kind: "ip", skipped: 2 },
  accepts: ip.accepts,
  read: (input, start, end) => ip.read(input, start + 2, end),
  write(output, address) {
    const bytes = ipBytes(address);
    u16.write(output, bytes.length === 4 ? 2 : 10); // AF_INET, AF_INET6
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
const nextHops = codec<readonly NextHop[]>({
  label: "next hops",
  shape: { kind: "chain", of: nextHop, message: rtnexthop.record, lengthField: "length" },
  accepts: (value): value is readonly NextHop[] =>
    Array.isArray(value) && value.every((hop) => nextHop.accepts(hop)),
  read(input, start, end) {
    const hops: NextHop[] = [];
    for (let at = start; at < end; ) {
      const left = end - at;
      const length = left < nextHop.minimum ? 0 : input.view.getUint16(at, littleEndian);
      if (length < nextHop.minimum || length > left) throw badLink(nextHop.label, at, left, length);
      hops.push(nextHop.read(input, at, at + length));
      at += align4(length);
    }
    return hops;
  },
  write(output, hops) {
    for (const hop of hops) nextHop.write(output, hop);
  },
});

const routeHeader = struct({
  family: u8,
  prefixLength: u8,
  sourcePrefixLength: u8,
  tos: u8,
  shortTable: u8,
  protocol: u8,
  scope: u8,
  type: u8,
  flags: bitsOf(u32, routeFlags),
});

/** struct rtmsg and RTA_*. */
export const routeMessage = message({
  header: routeHeader,
  attributes: {
    destination: ip(1),
    ifIndex: s32(4),
    gateway: ip(5),
    metric: withDefault(u32(6), 0),
    source: ip(7),
    multipath: nextHops(9),
    table: u32(15),
    via: via(18),
    nextHopId: u32(30),
  },
});

/** A request for routes, or for the route to a destination. */
export const routeRequest = message({
  header: routeHeader,
  attributes: { destination: ip(1), fromAddress: ip(2), ifIndex: s32(4), table: u32(15), mark: u32(16) },
});

const ruleHeader = struct({
  family: u8,
  destinationPrefixLength: u8,
  sourcePrefixLength: u8,
  tos: u8,
  shortTable: u8,
  reserved1: u8,
  reserved2: u8,
  action: u8,
  flags: u32,
});

/** struct fib_rule_hdr and FRA_*. */
export const ruleMessage = message({
  header: ruleHeader,
  attributes: {
    destination: ip(1),
    source: ip(2),
    incoming: string(3),
    goto: u32(4),
    priority: withDefault(u32(6), 0),
    mark: u32(10),
    suppressPrefixLength: u32(14),
    table: u32(15),
    markMask: u32(16),
    outgoing: string(17),
  },
});

export const ruleRequest = message({ header: ruleHeader, attributes: {} });

const nextHopHeader = struct({ family: u8, scope: u8, protocol: u8, reserved: u8, flags: u32 });

/** struct nhmsg and NHA_*. */
export const nextHopMessage = message({
  header: nextHopHeader,
  attributes: { id: u32(1), group: bytes(2), ifIndex: u32(5), gateway: ip(6) },
});

export const nextHopRequest = message({ header: nextHopHeader, attributes: {} });

/** struct ndmsg (include/uapi/linux/neighbour.h); attributes follow it, which are of no use here. */
export const neighbourMessage = struct({
  family: u8,
  reserved1: u8,
  reserved2: u16,
  ifIndex: s32,
  state: u16,
  flags: u8,
  type: u8,
});

/** The messages that the programs read. */
export const received = {
  addressMessage,
  linkMessage,
  tunData,
  routeMessage,
  ruleMessage,
  nextHopMessage,
  neighbourMessage,
};

/** The messages that they write. */
export const sent = {
  addressRequest,
  linkRequest,
  routeRequest,
  ruleRequest,
  nextHopRequest,
  neighbourMessage,
};
