import { NetlinkProtocolError } from "./netlink/errors.ts";
import { ipBytes } from "./netlink/ip.ts";
import { codec, type Decoded, ip, message, s32, struct, u8, u16 } from "./netlink/schema.ts";
import { align4, littleEndian } from "./netlink/wire.ts";
import { AF_INET, AF_INET6 } from "./rtnetlink.ts";

/** The parts of a route that are no plain attributes (include/uapi/linux/rtnetlink.h). */

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

export type NextHop = Omit<Decoded<typeof rtnexthop>, "length">;

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
