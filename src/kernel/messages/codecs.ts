// Made by tools/codecs.mjs of the schemas beside this file: change these, and build.

import type { AttributeNames } from "../netlink/attribute-names.ts";
import { Bits } from "../netlink/bits.ts";
import type { Decoded, Encodable } from "../netlink/codec.ts";
import { parseIpv4, parseIpv6, readIp, readIpv4, readIpv6 } from "../netlink/ip.ts";
import {
  badLength,
  badLink,
  misfit,
  missing,
  readBytes,
  readString,
  tooShort,
  type Writable,
} from "../netlink/message-codec.ts";
import { littleEndian, NLA_TYPE_MASK, type Output, type Payload } from "../netlink/wire.ts";
import {
  addressFlags,
  endpointFlags,
  eventFlags,
  linkFlags,
  mptcpInfoFlags,
  routeFlags,
  subflowFlags,
} from "./flags.ts";
import type * as mptcpPm from "./mptcp-pm.ts";
import type * as rtnetlink from "./rtnetlink.ts";
import type * as sockDiag from "./sock-diag.ts";

export type AddressMessage = Decoded<typeof rtnetlink.addressMessage>;
export type LinkMessage = Decoded<typeof rtnetlink.linkMessage>;
export type TunData = Decoded<typeof rtnetlink.tunData>;
export type RouteMessage = Decoded<typeof rtnetlink.routeMessage>;
export type RuleMessage = Decoded<typeof rtnetlink.ruleMessage>;
export type NextHopMessage = Decoded<typeof rtnetlink.nextHopMessage>;
export type NeighbourMessage = Decoded<typeof rtnetlink.neighbourMessage>;
export type NeighbourMessageValue = Encodable<typeof rtnetlink.neighbourMessage>;
export type AddressRequestValue = Encodable<typeof rtnetlink.addressRequest>;
export type LinkRequestValue = Encodable<typeof rtnetlink.linkRequest>;
export type RouteRequestValue = Encodable<typeof rtnetlink.routeRequest>;
export type RuleRequestValue = Encodable<typeof rtnetlink.ruleRequest>;
export type NextHopRequestValue = Encodable<typeof rtnetlink.nextHopRequest>;
export type PmMessage = Decoded<typeof mptcpPm.pmMessage>;
export type PmMessageValue = Encodable<typeof mptcpPm.pmMessage>;
export type Connection = Decoded<typeof mptcpPm.connection>;
export type Closed = Decoded<typeof mptcpPm.closed>;
export type Announced = Decoded<typeof mptcpPm.announced>;
export type Removed = Decoded<typeof mptcpPm.removed>;
export type Subflow = Decoded<typeof mptcpPm.subflow>;
export type Listener = Decoded<typeof mptcpPm.listener>;
export type MptcpSocket = Decoded<typeof sockDiag.mptcpSocket>;
export type TcpSocket = Decoded<typeof sockDiag.tcpSocket>;
export type MptcpOutline = Decoded<typeof sockDiag.mptcpOutline>;
export type TcpOutline = Decoded<typeof sockDiag.tcpOutline>;
export type SocketRequestValue = Encodable<typeof sockDiag.socketRequest>;

export const addressMessage = {
  decode({ input, start, end }: Payload): AddressMessage {
    const { view } = input;
    if (end - start < 8) throw tooShort("message", 8, start, end - start);
    let address: AddressMessage["address"] | undefined;
    let local: AddressMessage["local"] | undefined;
    let cacheInfo: AddressMessage["cacheInfo"] | undefined;
    let flags: AddressMessage["flags"] | undefined;
    for (let at = start + 8; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 1: {
          address = readIp(input, at + 4, next, "address");
          break;
        }
        case 2: {
          local = readIp(input, at + 4, next, "local");
          break;
        }
        case 6: {
          if (length < 20) throw tooShort("struct", 16, at, length - 4, "cacheInfo");
          cacheInfo = {
            preferred: view.getUint32(at + 4, littleEndian),
            valid: view.getUint32(at + 8, littleEndian),
            created: view.getUint32(at + 12, littleEndian),
            updated: view.getUint32(at + 16, littleEndian),
          };
          break;
        }
        case 8: {
          if (length < 8) throw tooShort("u32 of flags", 4, at, length - 4, "flags");
          flags = addressFlags.from(view.getUint32(at + 4, littleEndian));
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    const decoded: Writable<AddressMessage> = {
      family: view.getUint8(start),
      prefixLength: view.getUint8(start + 1),
      oldFlags: addressFlags.from(view.getUint8(start + 2)),
      scope: view.getUint8(start + 3),
      ifIndex: view.getUint32(start + 4, littleEndian),
    };
    if (address !== undefined) decoded.address = address;
    if (local !== undefined) decoded.local = local;
    if (cacheInfo !== undefined) decoded.cacheInfo = cacheInfo;
    if (flags !== undefined) decoded.flags = flags;
    return decoded;
  },
};

export const linkMessage = {
  decode({ input, start, end }: Payload): LinkMessage {
    const { view } = input;
    if (end - start < 16) throw tooShort("message", 16, start, end - start);
    let name: LinkMessage["name"] | undefined;
    let mtu: LinkMessage["mtu"] | undefined;
    let lower: LinkMessage["lower"] | undefined;
    let master: LinkMessage["master"] = 0;
    let wireless: LinkMessage["wireless"] | undefined;
    let operState: LinkMessage["operState"] = 0;
    let info: LinkMessage["info"] | undefined;
    let lowerNamespace: LinkMessage["lowerNamespace"] | undefined;
    let carrierUpCount: LinkMessage["carrierUpCount"] | undefined;
    let properties: LinkMessage["properties"] | undefined;
    let parentDevice: LinkMessage["parentDevice"] | undefined;
    for (let at = start + 16; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 3: {
          name = readString(input, at + 4, next);
          break;
        }
        case 4: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "mtu");
          mtu = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 5: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "lower");
          lower = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 10: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "master");
          master = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 11: {
          wireless = readBytes(input, at + 4, next);
          break;
        }
        case 16: {
          if (length < 5) throw tooShort("u8", 1, at, length - 4, "operState");
          operState = view.getUint8(at + 4);
          break;
        }
        case 18: {
          let infoKind: NonNullable<LinkMessage["info"]>["kind"] | undefined;
          let infoData: NonNullable<LinkMessage["info"]>["data"] | undefined;
          let infoSlaveKind: NonNullable<LinkMessage["info"]>["slaveKind"] | undefined;
          for (let at1 = at + 4; at1 < next; ) {
            const length1 = next - at1 < 4 ? 0 : view.getUint16(at1, littleEndian);
            const next1 = at1 + length1;
            if (length1 < 4 || next1 > next) throw badLength(input, at1, next, "info");
            switch (view.getUint16(at1 + 2, littleEndian) & NLA_TYPE_MASK) {
              case 1: {
                infoKind = readString(input, at1 + 4, next1);
                break;
              }
              case 2: {
                infoData = readBytes(input, at1 + 4, next1);
                break;
              }
              case 4: {
                infoSlaveKind = readString(input, at1 + 4, next1);
                break;
              }
            }
            at1 += (length1 + 3) & ~3;
          }
          const infoDecoded: Writable<NonNullable<LinkMessage["info"]>> = {};
          if (infoKind !== undefined) infoDecoded.kind = infoKind;
          if (infoData !== undefined) infoDecoded.data = infoData;
          if (infoSlaveKind !== undefined) infoDecoded.slaveKind = infoSlaveKind;
          info = infoDecoded;
          break;
        }
        case 37: {
          if (length < 8) throw tooShort("s32", 4, at, length - 4, "lowerNamespace");
          lowerNamespace = view.getInt32(at + 4, littleEndian);
          break;
        }
        case 47: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "carrierUpCount");
          carrierUpCount = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 52: {
          const propertiesAltNames: NonNullable<LinkMessage["properties"]>["altNames"][number][] = [];
          for (let at1 = at + 4; at1 < next; ) {
            const length1 = next - at1 < 4 ? 0 : view.getUint16(at1, littleEndian);
            const next1 = at1 + length1;
            if (length1 < 4 || next1 > next) throw badLength(input, at1, next, "properties");
            switch (view.getUint16(at1 + 2, littleEndian) & NLA_TYPE_MASK) {
              case 53: {
                propertiesAltNames.push(readString(input, at1 + 4, next1));
                break;
              }
            }
            at1 += (length1 + 3) & ~3;
          }
          properties = { altNames: propertiesAltNames };
          break;
        }
        case 56: {
          parentDevice = readString(input, at + 4, next);
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    const decoded: Writable<LinkMessage> = {
      family: view.getUint8(start),
      type: view.getUint16(start + 2, littleEndian),
      index: view.getInt32(start + 4, littleEndian),
      flags: linkFlags.from(view.getUint32(start + 8, littleEndian)),
      change: view.getUint32(start + 12, littleEndian),
      master,
      operState,
    };
    if (name !== undefined) decoded.name = name;
    if (mtu !== undefined) decoded.mtu = mtu;
    if (lower !== undefined) decoded.lower = lower;
    if (wireless !== undefined) decoded.wireless = wireless;
    if (info !== undefined) decoded.info = info;
    if (lowerNamespace !== undefined) decoded.lowerNamespace = lowerNamespace;
    if (carrierUpCount !== undefined) decoded.carrierUpCount = carrierUpCount;
    if (properties !== undefined) decoded.properties = properties;
    if (parentDevice !== undefined) decoded.parentDevice = parentDevice;
    return decoded;
  },
};

export const tunData = {
  decode({ input, start, end }: Payload): TunData {
    const { view } = input;
    let vnetHeader: TunData["vnetHeader"] | undefined;
    for (let at = start; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 5: {
          if (length < 5) throw tooShort("u8", 1, at, length - 4, "vnetHeader");
          vnetHeader = view.getUint8(at + 4);
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    const decoded: Writable<TunData> = {};
    if (vnetHeader !== undefined) decoded.vnetHeader = vnetHeader;
    return decoded;
  },
};

export const routeMessage = {
  decode({ input, start, end }: Payload): RouteMessage {
    const { view } = input;
    if (end - start < 12) throw tooShort("message", 12, start, end - start);
    let destination: RouteMessage["destination"] | undefined;
    let ifIndex: RouteMessage["ifIndex"] | undefined;
    let gateway: RouteMessage["gateway"] | undefined;
    let metric: RouteMessage["metric"] = 0;
    let source: RouteMessage["source"] | undefined;
    let multipath: RouteMessage["multipath"] | undefined;
    let table: RouteMessage["table"] | undefined;
    let via: RouteMessage["via"] | undefined;
    let nextHopId: RouteMessage["nextHopId"] | undefined;
    for (let at = start + 12; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 1: {
          destination = readIp(input, at + 4, next, "destination");
          break;
        }
        case 4: {
          if (length < 8) throw tooShort("s32", 4, at, length - 4, "ifIndex");
          ifIndex = view.getInt32(at + 4, littleEndian);
          break;
        }
        case 5: {
          gateway = readIp(input, at + 4, next, "gateway");
          break;
        }
        case 6: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "metric");
          metric = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 7: {
          source = readIp(input, at + 4, next, "source");
          break;
        }
        case 9: {
          const multipathItems: NonNullable<RouteMessage["multipath"]>[number][] = [];
          for (let at1 = at + 4; at1 < next; ) {
            const left = next - at1;
            const length1 = left < 8 ? 0 : view.getUint16(at1, littleEndian);
            if (length1 < 8 || length1 > left) throw badLink("next hop", at1, left, length1, "multipath");
            const next1 = at1 + length1;
            let multipathGateway: NonNullable<RouteMessage["multipath"]>[number]["gateway"] | undefined;
            let multipathVia: NonNullable<RouteMessage["multipath"]>[number]["via"] | undefined;
            for (let at2 = at1 + 8; at2 < next1; ) {
              const length2 = next1 - at2 < 4 ? 0 : view.getUint16(at2, littleEndian);
              const next2 = at2 + length2;
              if (length2 < 4 || next2 > next1) throw badLength(input, at2, next1, "multipath");
              switch (view.getUint16(at2 + 2, littleEndian) & NLA_TYPE_MASK) {
                case 5: {
                  multipathGateway = readIp(input, at2 + 4, next2, "multipath.gateway");
                  break;
                }
                case 18: {
                  if (length2 < 6) throw tooShort("rtvia", 2, at2, length2 - 4, "multipath.via");
                  multipathVia = readIp(input, at2 + 6, next2, "multipath.via");
                  break;
                }
              }
              at2 += (length2 + 3) & ~3;
            }
            const multipathDecoded: Writable<NonNullable<RouteMessage["multipath"]>[number]> = {
              flags: view.getUint8(at1 + 2),
              weightLessOne: view.getUint8(at1 + 3),
              ifIndex: view.getInt32(at1 + 4, littleEndian),
            };
            if (multipathGateway !== undefined) multipathDecoded.gateway = multipathGateway;
            if (multipathVia !== undefined) multipathDecoded.via = multipathVia;
            multipathItems.push(multipathDecoded);
            at1 += (length1 + 3) & ~3;
          }
          multipath = multipathItems;
          break;
        }
        case 15: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "table");
          table = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 18: {
          if (length < 6) throw tooShort("rtvia", 2, at, length - 4, "via");
          via = readIp(input, at + 6, next, "via");
          break;
        }
        case 30: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "nextHopId");
          nextHopId = view.getUint32(at + 4, littleEndian);
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    const decoded: Writable<RouteMessage> = {
      family: view.getUint8(start),
      prefixLength: view.getUint8(start + 1),
      sourcePrefixLength: view.getUint8(start + 2),
      tos: view.getUint8(start + 3),
      shortTable: view.getUint8(start + 4),
      protocol: view.getUint8(start + 5),
      scope: view.getUint8(start + 6),
      type: view.getUint8(start + 7),
      flags: routeFlags.from(view.getUint32(start + 8, littleEndian)),
      metric,
    };
    if (destination !== undefined) decoded.destination = destination;
    if (ifIndex !== undefined) decoded.ifIndex = ifIndex;
    if (gateway !== undefined) decoded.gateway = gateway;
    if (source !== undefined) decoded.source = source;
    if (multipath !== undefined) decoded.multipath = multipath;
    if (table !== undefined) decoded.table = table;
    if (via !== undefined) decoded.via = via;
    if (nextHopId !== undefined) decoded.nextHopId = nextHopId;
    return decoded;
  },
};

export const ruleMessage = {
  decode({ input, start, end }: Payload): RuleMessage {
    const { view } = input;
    if (end - start < 12) throw tooShort("message", 12, start, end - start);
    let destination: RuleMessage["destination"] | undefined;
    let source: RuleMessage["source"] | undefined;
    let incoming: RuleMessage["incoming"] | undefined;
    let goto: RuleMessage["goto"] | undefined;
    let priority: RuleMessage["priority"] = 0;
    let mark: RuleMessage["mark"] | undefined;
    let suppressPrefixLength: RuleMessage["suppressPrefixLength"] | undefined;
    let table: RuleMessage["table"] | undefined;
    let markMask: RuleMessage["markMask"] | undefined;
    let outgoing: RuleMessage["outgoing"] | undefined;
    for (let at = start + 12; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 1: {
          destination = readIp(input, at + 4, next, "destination");
          break;
        }
        case 2: {
          source = readIp(input, at + 4, next, "source");
          break;
        }
        case 3: {
          incoming = readString(input, at + 4, next);
          break;
        }
        case 4: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "goto");
          goto = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 6: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "priority");
          priority = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 10: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "mark");
          mark = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 14: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "suppressPrefixLength");
          suppressPrefixLength = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 15: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "table");
          table = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 16: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "markMask");
          markMask = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 17: {
          outgoing = readString(input, at + 4, next);
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    const decoded: Writable<RuleMessage> = {
      family: view.getUint8(start),
      destinationPrefixLength: view.getUint8(start + 1),
      sourcePrefixLength: view.getUint8(start + 2),
      tos: view.getUint8(start + 3),
      shortTable: view.getUint8(start + 4),
      reserved1: view.getUint8(start + 5),
      reserved2: view.getUint8(start + 6),
      action: view.getUint8(start + 7),
      flags: view.getUint32(start + 8, littleEndian),
      priority,
    };
    if (destination !== undefined) decoded.destination = destination;
    if (source !== undefined) decoded.source = source;
    if (incoming !== undefined) decoded.incoming = incoming;
    if (goto !== undefined) decoded.goto = goto;
    if (mark !== undefined) decoded.mark = mark;
    if (suppressPrefixLength !== undefined) decoded.suppressPrefixLength = suppressPrefixLength;
    if (table !== undefined) decoded.table = table;
    if (markMask !== undefined) decoded.markMask = markMask;
    if (outgoing !== undefined) decoded.outgoing = outgoing;
    return decoded;
  },
};

export const nextHopMessage = {
  decode({ input, start, end }: Payload): NextHopMessage {
    const { view } = input;
    if (end - start < 8) throw tooShort("message", 8, start, end - start);
    let id: NextHopMessage["id"] | undefined;
    let group: NextHopMessage["group"] | undefined;
    let ifIndex: NextHopMessage["ifIndex"] | undefined;
    let gateway: NextHopMessage["gateway"] | undefined;
    for (let at = start + 8; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 1: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "id");
          id = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 2: {
          group = readBytes(input, at + 4, next);
          break;
        }
        case 5: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "ifIndex");
          ifIndex = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 6: {
          gateway = readIp(input, at + 4, next, "gateway");
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    const decoded: Writable<NextHopMessage> = {
      family: view.getUint8(start),
      scope: view.getUint8(start + 1),
      protocol: view.getUint8(start + 2),
      reserved: view.getUint8(start + 3),
      flags: view.getUint32(start + 4, littleEndian),
    };
    if (id !== undefined) decoded.id = id;
    if (group !== undefined) decoded.group = group;
    if (ifIndex !== undefined) decoded.ifIndex = ifIndex;
    if (gateway !== undefined) decoded.gateway = gateway;
    return decoded;
  },
};

export const neighbourMessage = {
  decode({ input, start, end }: Payload): NeighbourMessage {
    const { view } = input;
    if (end - start < 12) throw tooShort("struct", 12, start, end - start);
    return {
      family: view.getUint8(start),
      reserved1: view.getUint8(start + 1),
      reserved2: view.getUint16(start + 2, littleEndian),
      ifIndex: view.getInt32(start + 4, littleEndian),
      state: view.getUint16(start + 8, littleEndian),
      flags: view.getUint8(start + 10),
      type: view.getUint8(start + 11),
    };
  },
  write(output: Output, value: NeighbourMessageValue): void {
    if (output.length + 12 > output.bytes.length) output.makeRoom(12);
    const { view } = output;
    const start = output.length;
    const family = value.family;
    if (family !== undefined) {
      if (!(typeof family === "number" && (family & 0xff) === family)) throw misfit("family", family, "u8");
      view.setUint8(start, family);
    }
    const reserved1 = value.reserved1;
    if (reserved1 !== undefined) {
      if (!(typeof reserved1 === "number" && (reserved1 & 0xff) === reserved1))
        throw misfit("reserved1", reserved1, "u8");
      view.setUint8(start + 1, reserved1);
    }
    const reserved2 = value.reserved2;
    if (reserved2 !== undefined) {
      if (!(typeof reserved2 === "number" && (reserved2 & 0xffff) === reserved2))
        throw misfit("reserved2", reserved2, "u16");
      view.setUint16(start + 2, reserved2, littleEndian);
    }
    const ifIndex = value.ifIndex;
    if (ifIndex !== undefined) {
      if (!(typeof ifIndex === "number" && (ifIndex | 0) === ifIndex))
        throw misfit("ifIndex", ifIndex, "s32");
      view.setInt32(start + 4, ifIndex, littleEndian);
    }
    const state = value.state;
    if (state !== undefined) {
      if (!(typeof state === "number" && (state & 0xffff) === state)) throw misfit("state", state, "u16");
      view.setUint16(start + 8, state, littleEndian);
    }
    const flags = value.flags;
    if (flags !== undefined) {
      if (!(typeof flags === "number" && (flags & 0xff) === flags)) throw misfit("flags", flags, "u8");
      view.setUint8(start + 10, flags);
    }
    const type = value.type;
    if (type !== undefined) {
      if (!(typeof type === "number" && (type & 0xff) === type)) throw misfit("type", type, "u8");
      view.setUint8(start + 11, type);
    }
    output.length = start + 12;
  },
  names: { from: 12, names: {} } satisfies AttributeNames,
};

export const addressRequest = {
  write(output: Output, value: AddressRequestValue): void {
    if (output.length + 8 > output.bytes.length) output.makeRoom(8);
    const { view } = output;
    const start = output.length;
    const family = value.family;
    if (family !== undefined) {
      if (!(typeof family === "number" && (family & 0xff) === family)) throw misfit("family", family, "u8");
      view.setUint8(start, family);
    }
    const prefixLength = value.prefixLength;
    if (prefixLength !== undefined) {
      if (!(typeof prefixLength === "number" && (prefixLength & 0xff) === prefixLength))
        throw misfit("prefixLength", prefixLength, "u8");
      view.setUint8(start + 1, prefixLength);
    }
    const flags = value.flags;
    if (flags !== undefined) {
      if (!(typeof flags === "number" && (flags & 0xff) === flags)) throw misfit("flags", flags, "u8");
      view.setUint8(start + 2, flags);
    }
    const scope = value.scope;
    if (scope !== undefined) {
      if (!(typeof scope === "number" && (scope & 0xff) === scope)) throw misfit("scope", scope, "u8");
      view.setUint8(start + 3, scope);
    }
    const ifIndex = value.ifIndex;
    if (ifIndex !== undefined) {
      if (!(typeof ifIndex === "number" && ifIndex >>> 0 === ifIndex))
        throw misfit("ifIndex", ifIndex, "u32");
      view.setUint32(start + 4, ifIndex, littleEndian);
    }
    output.length = start + 8;
  },
  names: { from: 8, names: {} } satisfies AttributeNames,
};

export const linkRequest = {
  write(output: Output, value: LinkRequestValue): void {
    if (output.length + 24 > output.bytes.length) output.makeRoom(24);
    const { view } = output;
    const start = output.length;
    let at = start + 16;
    const family = value.family;
    if (family !== undefined) {
      if (!(typeof family === "number" && (family & 0xff) === family)) throw misfit("family", family, "u8");
      view.setUint8(start, family);
    }
    const type = value.type;
    if (type !== undefined) {
      if (!(typeof type === "number" && (type & 0xffff) === type)) throw misfit("type", type, "u16");
      view.setUint16(start + 2, type, littleEndian);
    }
    const index = value.index;
    if (index !== undefined) {
      if (!(typeof index === "number" && (index | 0) === index)) throw misfit("index", index, "s32");
      view.setInt32(start + 4, index, littleEndian);
    }
    const flags = value.flags;
    if (flags !== undefined) {
      if (!(typeof flags === "number" && flags >>> 0 === flags)) throw misfit("flags", flags, "u32");
      view.setUint32(start + 8, flags, littleEndian);
    }
    const change = value.change;
    if (change !== undefined) {
      if (!(typeof change === "number" && change >>> 0 === change)) throw misfit("change", change, "u32");
      view.setUint32(start + 12, change, littleEndian);
    }
    const extensions = value.extensions;
    if (extensions !== undefined) {
      if (!(extensions instanceof Bits)) throw misfit("extensions", extensions, "u32 of flags");
      view.setUint32(at + 4, extensions.value, littleEndian);
      view.setUint16(at, 8, littleEndian);
      view.setUint16(at + 2, 29, littleEndian);
      at += 8;
    }
    output.length = at;
  },
  names: { from: 16, names: { 29: ["extensions"] } } satisfies AttributeNames,
};

export const routeRequest = {
  write(output: Output, value: RouteRequestValue): void {
    if (output.length + 76 > output.bytes.length) output.makeRoom(76);
    const { view, bytes } = output;
    const start = output.length;
    let at = start + 12;
    const family = value.family;
    if (family !== undefined) {
      if (!(typeof family === "number" && (family & 0xff) === family)) throw misfit("family", family, "u8");
      view.setUint8(start, family);
    }
    const prefixLength = value.prefixLength;
    if (prefixLength !== undefined) {
      if (!(typeof prefixLength === "number" && (prefixLength & 0xff) === prefixLength))
        throw misfit("prefixLength", prefixLength, "u8");
      view.setUint8(start + 1, prefixLength);
    }
    const sourcePrefixLength = value.sourcePrefixLength;
    if (sourcePrefixLength !== undefined) {
      if (!(typeof sourcePrefixLength === "number" && (sourcePrefixLength & 0xff) === sourcePrefixLength))
        throw misfit("sourcePrefixLength", sourcePrefixLength, "u8");
      view.setUint8(start + 2, sourcePrefixLength);
    }
    const tos = value.tos;
    if (tos !== undefined) {
      if (!(typeof tos === "number" && (tos & 0xff) === tos)) throw misfit("tos", tos, "u8");
      view.setUint8(start + 3, tos);
    }
    const shortTable = value.shortTable;
    if (shortTable !== undefined) {
      if (!(typeof shortTable === "number" && (shortTable & 0xff) === shortTable))
        throw misfit("shortTable", shortTable, "u8");
      view.setUint8(start + 4, shortTable);
    }
    const protocol = value.protocol;
    if (protocol !== undefined) {
      if (!(typeof protocol === "number" && (protocol & 0xff) === protocol))
        throw misfit("protocol", protocol, "u8");
      view.setUint8(start + 5, protocol);
    }
    const scope = value.scope;
    if (scope !== undefined) {
      if (!(typeof scope === "number" && (scope & 0xff) === scope)) throw misfit("scope", scope, "u8");
      view.setUint8(start + 6, scope);
    }
    const type = value.type;
    if (type !== undefined) {
      if (!(typeof type === "number" && (type & 0xff) === type)) throw misfit("type", type, "u8");
      view.setUint8(start + 7, type);
    }
    const flags = value.flags;
    if (flags !== undefined) {
      if (!(flags instanceof Bits)) throw misfit("flags", flags, "u32 of flags");
      view.setUint32(start + 8, flags.value, littleEndian);
    }
    const destination = value.destination;
    if (destination !== undefined) {
      let destinationSize = 0;
      if (typeof destination === "string") {
        if (parseIpv4(destination, 0, bytes, at + 4)) destinationSize = 4;
        else if (parseIpv6(destination, bytes, at + 4)) destinationSize = 16;
      }
      if (destinationSize === 0) throw misfit("destination", destination, "IP address");
      view.setUint16(at, 4 + destinationSize, littleEndian);
      view.setUint16(at + 2, 1, littleEndian);
      at += 4 + destinationSize;
    }
    const fromAddress = value.fromAddress;
    if (fromAddress !== undefined) {
      let fromAddressSize = 0;
      if (typeof fromAddress === "string") {
        if (parseIpv4(fromAddress, 0, bytes, at + 4)) fromAddressSize = 4;
        else if (parseIpv6(fromAddress, bytes, at + 4)) fromAddressSize = 16;
      }
      if (fromAddressSize === 0) throw misfit("fromAddress", fromAddress, "IP address");
      view.setUint16(at, 4 + fromAddressSize, littleEndian);
      view.setUint16(at + 2, 2, littleEndian);
      at += 4 + fromAddressSize;
    }
    const ifIndex = value.ifIndex;
    if (ifIndex !== undefined) {
      if (!(typeof ifIndex === "number" && (ifIndex | 0) === ifIndex))
        throw misfit("ifIndex", ifIndex, "s32");
      view.setInt32(at + 4, ifIndex, littleEndian);
      view.setUint16(at, 8, littleEndian);
      view.setUint16(at + 2, 4, littleEndian);
      at += 8;
    }
    const table = value.table;
    if (table !== undefined) {
      if (!(typeof table === "number" && table >>> 0 === table)) throw misfit("table", table, "u32");
      view.setUint32(at + 4, table, littleEndian);
      view.setUint16(at, 8, littleEndian);
      view.setUint16(at + 2, 15, littleEndian);
      at += 8;
    }
    const mark = value.mark;
    if (mark !== undefined) {
      if (!(typeof mark === "number" && mark >>> 0 === mark)) throw misfit("mark", mark, "u32");
      view.setUint32(at + 4, mark, littleEndian);
      view.setUint16(at, 8, littleEndian);
      view.setUint16(at + 2, 16, littleEndian);
      at += 8;
    }
    output.length = at;
  },
  names: {
    from: 12,
    names: { 1: ["destination"], 2: ["fromAddress"], 4: ["ifIndex"], 15: ["table"], 16: ["mark"] },
  } satisfies AttributeNames,
};

export const ruleRequest = {
  write(output: Output, value: RuleRequestValue): void {
    if (output.length + 12 > output.bytes.length) output.makeRoom(12);
    const { view } = output;
    const start = output.length;
    const family = value.family;
    if (family !== undefined) {
      if (!(typeof family === "number" && (family & 0xff) === family)) throw misfit("family", family, "u8");
      view.setUint8(start, family);
    }
    const destinationPrefixLength = value.destinationPrefixLength;
    if (destinationPrefixLength !== undefined) {
      if (
        !(
          typeof destinationPrefixLength === "number" &&
          (destinationPrefixLength & 0xff) === destinationPrefixLength
        )
      )
        throw misfit("destinationPrefixLength", destinationPrefixLength, "u8");
      view.setUint8(start + 1, destinationPrefixLength);
    }
    const sourcePrefixLength = value.sourcePrefixLength;
    if (sourcePrefixLength !== undefined) {
      if (!(typeof sourcePrefixLength === "number" && (sourcePrefixLength & 0xff) === sourcePrefixLength))
        throw misfit("sourcePrefixLength", sourcePrefixLength, "u8");
      view.setUint8(start + 2, sourcePrefixLength);
    }
    const tos = value.tos;
    if (tos !== undefined) {
      if (!(typeof tos === "number" && (tos & 0xff) === tos)) throw misfit("tos", tos, "u8");
      view.setUint8(start + 3, tos);
    }
    const shortTable = value.shortTable;
    if (shortTable !== undefined) {
      if (!(typeof shortTable === "number" && (shortTable & 0xff) === shortTable))
        throw misfit("shortTable", shortTable, "u8");
      view.setUint8(start + 4, shortTable);
    }
    const reserved1 = value.reserved1;
    if (reserved1 !== undefined) {
      if (!(typeof reserved1 === "number" && (reserved1 & 0xff) === reserved1))
        throw misfit("reserved1", reserved1, "u8");
      view.setUint8(start + 5, reserved1);
    }
    const reserved2 = value.reserved2;
    if (reserved2 !== undefined) {
      if (!(typeof reserved2 === "number" && (reserved2 & 0xff) === reserved2))
        throw misfit("reserved2", reserved2, "u8");
      view.setUint8(start + 6, reserved2);
    }
    const action = value.action;
    if (action !== undefined) {
      if (!(typeof action === "number" && (action & 0xff) === action)) throw misfit("action", action, "u8");
      view.setUint8(start + 7, action);
    }
    const flags = value.flags;
    if (flags !== undefined) {
      if (!(typeof flags === "number" && flags >>> 0 === flags)) throw misfit("flags", flags, "u32");
      view.setUint32(start + 8, flags, littleEndian);
    }
    output.length = start + 12;
  },
  names: { from: 12, names: {} } satisfies AttributeNames,
};

export const nextHopRequest = {
  write(output: Output, value: NextHopRequestValue): void {
    if (output.length + 8 > output.bytes.length) output.makeRoom(8);
    const { view } = output;
    const start = output.length;
    const family = value.family;
    if (family !== undefined) {
      if (!(typeof family === "number" && (family & 0xff) === family)) throw misfit("family", family, "u8");
      view.setUint8(start, family);
    }
    const scope = value.scope;
    if (scope !== undefined) {
      if (!(typeof scope === "number" && (scope & 0xff) === scope)) throw misfit("scope", scope, "u8");
      view.setUint8(start + 1, scope);
    }
    const protocol = value.protocol;
    if (protocol !== undefined) {
      if (!(typeof protocol === "number" && (protocol & 0xff) === protocol))
        throw misfit("protocol", protocol, "u8");
      view.setUint8(start + 2, protocol);
    }
    const reserved = value.reserved;
    if (reserved !== undefined) {
      if (!(typeof reserved === "number" && (reserved & 0xff) === reserved))
        throw misfit("reserved", reserved, "u8");
      view.setUint8(start + 3, reserved);
    }
    const flags = value.flags;
    if (flags !== undefined) {
      if (!(typeof flags === "number" && flags >>> 0 === flags)) throw misfit("flags", flags, "u32");
      view.setUint32(start + 4, flags, littleEndian);
    }
    output.length = start + 8;
  },
  names: { from: 8, names: {} } satisfies AttributeNames,
};

export const pmMessage = {
  decode({ input, start, end }: Payload): PmMessage {
    const { view } = input;
    if (end - start < 4) throw tooShort("message", 4, start, end - start);
    let address: PmMessage["address"] | undefined;
    let addAddrAccepted: PmMessage["addAddrAccepted"] | undefined;
    let subflows: PmMessage["subflows"] | undefined;
    let token: PmMessage["token"] | undefined;
    let localId: PmMessage["localId"] | undefined;
    let remote: PmMessage["remote"] | undefined;
    for (let at = start + 4; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 1: {
          let addressFamily: NonNullable<PmMessage["address"]>["family"] | undefined;
          let addressId: NonNullable<PmMessage["address"]>["id"] | undefined;
          let addressAddress: NonNullable<PmMessage["address"]>["address"] | undefined;
          let addressPort: NonNullable<PmMessage["address"]>["port"] | undefined;
          let addressFlags: NonNullable<PmMessage["address"]>["flags"] | undefined;
          let addressIfIndex: NonNullable<PmMessage["address"]>["ifIndex"] | undefined;
          for (let at1 = at + 4; at1 < next; ) {
            const length1 = next - at1 < 4 ? 0 : view.getUint16(at1, littleEndian);
            const next1 = at1 + length1;
            if (length1 < 4 || next1 > next) throw badLength(input, at1, next, "address");
            switch (view.getUint16(at1 + 2, littleEndian) & NLA_TYPE_MASK) {
              case 1: {
                if (length1 < 6) throw tooShort("u16", 2, at1, length1 - 4, "address.family");
                addressFamily = view.getUint16(at1 + 4, littleEndian);
                break;
              }
              case 2: {
                if (length1 < 5) throw tooShort("u8", 1, at1, length1 - 4, "address.id");
                addressId = view.getUint8(at1 + 4);
                break;
              }
              case 3: {
                if (length1 < 8) throw tooShort("IPv4 address", 4, at1, length1 - 4, "address.address");
                addressAddress = readIpv4(input, at1 + 4);
                break;
              }
              case 4: {
                if (length1 < 20) throw tooShort("IPv6 address", 16, at1, length1 - 4, "address.address");
                addressAddress = readIpv6(input, at1 + 4);
                break;
              }
              case 5: {
                if (length1 < 6) throw tooShort("u16", 2, at1, length1 - 4, "address.port");
                addressPort = view.getUint16(at1 + 4, littleEndian);
                break;
              }
              case 6: {
                if (length1 < 8) throw tooShort("u32 of flags", 4, at1, length1 - 4, "address.flags");
                addressFlags = endpointFlags.from(view.getUint32(at1 + 4, littleEndian));
                break;
              }
              case 7: {
                if (length1 < 8) throw tooShort("s32", 4, at1, length1 - 4, "address.ifIndex");
                addressIfIndex = view.getInt32(at1 + 4, littleEndian);
                break;
              }
            }
            at1 += (length1 + 3) & ~3;
          }
          const addressDecoded: Writable<NonNullable<PmMessage["address"]>> = {};
          if (addressFamily !== undefined) addressDecoded.family = addressFamily;
          if (addressId !== undefined) addressDecoded.id = addressId;
          if (addressAddress !== undefined) addressDecoded.address = addressAddress;
          if (addressPort !== undefined) addressDecoded.port = addressPort;
          if (addressFlags !== undefined) addressDecoded.flags = addressFlags;
          if (addressIfIndex !== undefined) addressDecoded.ifIndex = addressIfIndex;
          address = addressDecoded;
          break;
        }
        case 2: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "addAddrAccepted");
          addAddrAccepted = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 3: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "subflows");
          subflows = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 4: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "token");
          token = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 5: {
          if (length < 5) throw tooShort("u8", 1, at, length - 4, "localId");
          localId = view.getUint8(at + 4);
          break;
        }
        case 6: {
          let remoteFamily: NonNullable<PmMessage["remote"]>["family"] | undefined;
          let remoteId: NonNullable<PmMessage["remote"]>["id"] | undefined;
          let remoteAddress: NonNullable<PmMessage["remote"]>["address"] | undefined;
          let remotePort: NonNullable<PmMessage["remote"]>["port"] | undefined;
          let remoteFlags: NonNullable<PmMessage["remote"]>["flags"] | undefined;
          let remoteIfIndex: NonNullable<PmMessage["remote"]>["ifIndex"] | undefined;
          for (let at1 = at + 4; at1 < next; ) {
            const length1 = next - at1 < 4 ? 0 : view.getUint16(at1, littleEndian);
            const next1 = at1 + length1;
            if (length1 < 4 || next1 > next) throw badLength(input, at1, next, "remote");
            switch (view.getUint16(at1 + 2, littleEndian) & NLA_TYPE_MASK) {
              case 1: {
                if (length1 < 6) throw tooShort("u16", 2, at1, length1 - 4, "remote.family");
                remoteFamily = view.getUint16(at1 + 4, littleEndian);
                break;
              }
              case 2: {
                if (length1 < 5) throw tooShort("u8", 1, at1, length1 - 4, "remote.id");
                remoteId = view.getUint8(at1 + 4);
                break;
              }
              case 3: {
                if (length1 < 8) throw tooShort("IPv4 address", 4, at1, length1 - 4, "remote.address");
                remoteAddress = readIpv4(input, at1 + 4);
                break;
              }
              case 4: {
                if (length1 < 20) throw tooShort("IPv6 address", 16, at1, length1 - 4, "remote.address");
                remoteAddress = readIpv6(input, at1 + 4);
                break;
              }
              case 5: {
                if (length1 < 6) throw tooShort("u16", 2, at1, length1 - 4, "remote.port");
                remotePort = view.getUint16(at1 + 4, littleEndian);
                break;
              }
              case 6: {
                if (length1 < 8) throw tooShort("u32 of flags", 4, at1, length1 - 4, "remote.flags");
                remoteFlags = endpointFlags.from(view.getUint32(at1 + 4, littleEndian));
                break;
              }
              case 7: {
                if (length1 < 8) throw tooShort("s32", 4, at1, length1 - 4, "remote.ifIndex");
                remoteIfIndex = view.getInt32(at1 + 4, littleEndian);
                break;
              }
            }
            at1 += (length1 + 3) & ~3;
          }
          const remoteDecoded: Writable<NonNullable<PmMessage["remote"]>> = {};
          if (remoteFamily !== undefined) remoteDecoded.family = remoteFamily;
          if (remoteId !== undefined) remoteDecoded.id = remoteId;
          if (remoteAddress !== undefined) remoteDecoded.address = remoteAddress;
          if (remotePort !== undefined) remoteDecoded.port = remotePort;
          if (remoteFlags !== undefined) remoteDecoded.flags = remoteFlags;
          if (remoteIfIndex !== undefined) remoteDecoded.ifIndex = remoteIfIndex;
          remote = remoteDecoded;
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    const decoded: Writable<PmMessage> = {
      command: view.getUint8(start),
      version: view.getUint8(start + 1),
      reserved: view.getUint16(start + 2, littleEndian),
    };
    if (address !== undefined) decoded.address = address;
    if (addAddrAccepted !== undefined) decoded.addAddrAccepted = addAddrAccepted;
    if (subflows !== undefined) decoded.subflows = subflows;
    if (token !== undefined) decoded.token = token;
    if (localId !== undefined) decoded.localId = localId;
    if (remote !== undefined) decoded.remote = remote;
    return decoded;
  },
  write(output: Output, value: PmMessageValue): void {
    if (output.length + 164 > output.bytes.length) output.makeRoom(164);
    const { view, bytes } = output;
    const start = output.length;
    let at = start + 4;
    const command = value.command;
    if (command !== undefined) {
      if (!(typeof command === "number" && (command & 0xff) === command))
        throw misfit("command", command, "u8");
      view.setUint8(start, command);
    }
    const version = value.version;
    if (version !== undefined) {
      if (!(typeof version === "number" && (version & 0xff) === version))
        throw misfit("version", version, "u8");
      view.setUint8(start + 1, version);
    }
    const reserved = value.reserved;
    if (reserved !== undefined) {
      if (!(typeof reserved === "number" && (reserved & 0xffff) === reserved))
        throw misfit("reserved", reserved, "u16");
      view.setUint16(start + 2, reserved, littleEndian);
    }
    const address = value.address;
    if (address !== undefined) {
      if (!(typeof address === "object" && address !== null)) throw misfit("address", address, "attributes");
      const addressAt = at;
      at += 4;
      const addressFamily = address.family;
      if (addressFamily !== undefined) {
        if (!(typeof addressFamily === "number" && (addressFamily & 0xffff) === addressFamily))
          throw misfit("address.family", addressFamily, "u16");
        view.setUint16(at + 4, addressFamily, littleEndian);
        view.setUint16(at, 6, littleEndian);
        view.setUint16(at + 2, 1, littleEndian);
        at += 8;
      }
      const addressId = address.id;
      if (addressId !== undefined) {
        if (!(typeof addressId === "number" && (addressId & 0xff) === addressId))
          throw misfit("address.id", addressId, "u8");
        view.setUint8(at + 4, addressId);
        view.setUint16(at, 5, littleEndian);
        view.setUint16(at + 2, 2, littleEndian);
        at += 8;
      }
      const addressAddress = address.address;
      if (addressAddress !== undefined) {
        let addressAddressSize = 0;
        if (typeof addressAddress === "string") {
          if (parseIpv4(addressAddress, 0, bytes, at + 4)) addressAddressSize = 4;
          else if (parseIpv6(addressAddress, bytes, at + 4)) addressAddressSize = 16;
        }
        if (addressAddressSize === 0)
          throw misfit("address.address", addressAddress, "IPv4 address or IPv6 address");
        view.setUint16(at, 4 + addressAddressSize, littleEndian);
        view.setUint16(at + 2, addressAddressSize === 4 ? 3 : 4, littleEndian);
        at += 4 + addressAddressSize;
      }
      const addressPort = address.port;
      if (addressPort !== undefined) {
        if (!(typeof addressPort === "number" && (addressPort & 0xffff) === addressPort))
          throw misfit("address.port", addressPort, "u16");
        view.setUint16(at + 4, addressPort, littleEndian);
        view.setUint16(at, 6, littleEndian);
        view.setUint16(at + 2, 5, littleEndian);
        at += 8;
      }
      const addressFlags = address.flags;
      if (addressFlags !== undefined) {
        if (!(addressFlags instanceof Bits)) throw misfit("address.flags", addressFlags, "u32 of flags");
        view.setUint32(at + 4, addressFlags.value, littleEndian);
        view.setUint16(at, 8, littleEndian);
        view.setUint16(at + 2, 6, littleEndian);
        at += 8;
      }
      const addressIfIndex = address.ifIndex;
      if (addressIfIndex !== undefined) {
        if (!(typeof addressIfIndex === "number" && (addressIfIndex | 0) === addressIfIndex))
          throw misfit("address.ifIndex", addressIfIndex, "s32");
        view.setInt32(at + 4, addressIfIndex, littleEndian);
        view.setUint16(at, 8, littleEndian);
        view.setUint16(at + 2, 7, littleEndian);
        at += 8;
      }
      view.setUint16(addressAt, at - addressAt, littleEndian);
      view.setUint16(addressAt + 2, 32769, littleEndian);
    }
    const addAddrAccepted = value.addAddrAccepted;
    if (addAddrAccepted !== undefined) {
      if (!(typeof addAddrAccepted === "number" && addAddrAccepted >>> 0 === addAddrAccepted))
        throw misfit("addAddrAccepted", addAddrAccepted, "u32");
      view.setUint32(at + 4, addAddrAccepted, littleEndian);
      view.setUint16(at, 8, littleEndian);
      view.setUint16(at + 2, 2, littleEndian);
      at += 8;
    }
    const subflows = value.subflows;
    if (subflows !== undefined) {
      if (!(typeof subflows === "number" && subflows >>> 0 === subflows))
        throw misfit("subflows", subflows, "u32");
      view.setUint32(at + 4, subflows, littleEndian);
      view.setUint16(at, 8, littleEndian);
      view.setUint16(at + 2, 3, littleEndian);
      at += 8;
    }
    const token = value.token;
    if (token !== undefined) {
      if (!(typeof token === "number" && token >>> 0 === token)) throw misfit("token", token, "u32");
      view.setUint32(at + 4, token, littleEndian);
      view.setUint16(at, 8, littleEndian);
      view.setUint16(at + 2, 4, littleEndian);
      at += 8;
    }
    const localId = value.localId;
    if (localId !== undefined) {
      if (!(typeof localId === "number" && (localId & 0xff) === localId))
        throw misfit("localId", localId, "u8");
      view.setUint8(at + 4, localId);
      view.setUint16(at, 5, littleEndian);
      view.setUint16(at + 2, 5, littleEndian);
      at += 8;
    }
    const remote = value.remote;
    if (remote !== undefined) {
      if (!(typeof remote === "object" && remote !== null)) throw misfit("remote", remote, "attributes");
      const remoteAt = at;
      at += 4;
      const remoteFamily = remote.family;
      if (remoteFamily !== undefined) {
        if (!(typeof remoteFamily === "number" && (remoteFamily & 0xffff) === remoteFamily))
          throw misfit("remote.family", remoteFamily, "u16");
        view.setUint16(at + 4, remoteFamily, littleEndian);
        view.setUint16(at, 6, littleEndian);
        view.setUint16(at + 2, 1, littleEndian);
        at += 8;
      }
      const remoteId = remote.id;
      if (remoteId !== undefined) {
        if (!(typeof remoteId === "number" && (remoteId & 0xff) === remoteId))
          throw misfit("remote.id", remoteId, "u8");
        view.setUint8(at + 4, remoteId);
        view.setUint16(at, 5, littleEndian);
        view.setUint16(at + 2, 2, littleEndian);
        at += 8;
      }
      const remoteAddress = remote.address;
      if (remoteAddress !== undefined) {
        let remoteAddressSize = 0;
        if (typeof remoteAddress === "string") {
          if (parseIpv4(remoteAddress, 0, bytes, at + 4)) remoteAddressSize = 4;
          else if (parseIpv6(remoteAddress, bytes, at + 4)) remoteAddressSize = 16;
        }
        if (remoteAddressSize === 0)
          throw misfit("remote.address", remoteAddress, "IPv4 address or IPv6 address");
        view.setUint16(at, 4 + remoteAddressSize, littleEndian);
        view.setUint16(at + 2, remoteAddressSize === 4 ? 3 : 4, littleEndian);
        at += 4 + remoteAddressSize;
      }
      const remotePort = remote.port;
      if (remotePort !== undefined) {
        if (!(typeof remotePort === "number" && (remotePort & 0xffff) === remotePort))
          throw misfit("remote.port", remotePort, "u16");
        view.setUint16(at + 4, remotePort, littleEndian);
        view.setUint16(at, 6, littleEndian);
        view.setUint16(at + 2, 5, littleEndian);
        at += 8;
      }
      const remoteFlags = remote.flags;
      if (remoteFlags !== undefined) {
        if (!(remoteFlags instanceof Bits)) throw misfit("remote.flags", remoteFlags, "u32 of flags");
        view.setUint32(at + 4, remoteFlags.value, littleEndian);
        view.setUint16(at, 8, littleEndian);
        view.setUint16(at + 2, 6, littleEndian);
        at += 8;
      }
      const remoteIfIndex = remote.ifIndex;
      if (remoteIfIndex !== undefined) {
        if (!(typeof remoteIfIndex === "number" && (remoteIfIndex | 0) === remoteIfIndex))
          throw misfit("remote.ifIndex", remoteIfIndex, "s32");
        view.setInt32(at + 4, remoteIfIndex, littleEndian);
        view.setUint16(at, 8, littleEndian);
        view.setUint16(at + 2, 7, littleEndian);
        at += 8;
      }
      view.setUint16(remoteAt, at - remoteAt, littleEndian);
      view.setUint16(remoteAt + 2, 32774, littleEndian);
    }
    output.length = at;
  },
  names: {
    from: 4,
    names: {
      1: [
        "address",
        {
          from: 0,
          names: {
            1: ["family"],
            2: ["id"],
            3: ["address"],
            4: ["address"],
            5: ["port"],
            6: ["flags"],
            7: ["ifIndex"],
          },
        },
      ],
      2: ["addAddrAccepted"],
      3: ["subflows"],
      4: ["token"],
      5: ["localId"],
      6: [
        "remote",
        {
          from: 0,
          names: {
            1: ["family"],
            2: ["id"],
            3: ["address"],
            4: ["address"],
            5: ["port"],
            6: ["flags"],
            7: ["ifIndex"],
          },
        },
      ],
    },
  } satisfies AttributeNames,
};

export const connection = {
  decode({ input, start, end }: Payload): Connection {
    const { view } = input;
    let token: Connection["token"] | undefined;
    let family: Connection["family"] | undefined;
    let localAddress: Connection["localAddress"] | undefined;
    let localPort: Connection["localPort"] | undefined;
    let remoteAddress: Connection["remoteAddress"] | undefined;
    let remotePort: Connection["remotePort"] | undefined;
    let flags: Connection["flags"] = eventFlags.from(0);
    let oldServerSide: Connection["oldServerSide"] = 0;
    const base = start;
    for (let at = base; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 1: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "token");
          token = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 2: {
          if (length < 6) throw tooShort("u16", 2, at, length - 4, "family");
          family = view.getUint16(at + 4, littleEndian);
          break;
        }
        case 5: {
          if (length < 8) throw tooShort("IPv4 address", 4, at, length - 4, "localAddress");
          localAddress = readIpv4(input, at + 4);
          break;
        }
        case 6: {
          if (length < 20) throw tooShort("IPv6 address", 16, at, length - 4, "localAddress");
          localAddress = readIpv6(input, at + 4);
          break;
        }
        case 9: {
          if (length < 6) throw tooShort("u16be", 2, at, length - 4, "localPort");
          localPort = view.getUint16(at + 4, false);
          break;
        }
        case 7: {
          if (length < 8) throw tooShort("IPv4 address", 4, at, length - 4, "remoteAddress");
          remoteAddress = readIpv4(input, at + 4);
          break;
        }
        case 8: {
          if (length < 20) throw tooShort("IPv6 address", 16, at, length - 4, "remoteAddress");
          remoteAddress = readIpv6(input, at + 4);
          break;
        }
        case 10: {
          if (length < 6) throw tooShort("u16be", 2, at, length - 4, "remotePort");
          remotePort = view.getUint16(at + 4, false);
          break;
        }
        case 13: {
          if (length < 6) throw tooShort("u16 of flags", 2, at, length - 4, "flags");
          flags = eventFlags.from(view.getUint16(at + 4, littleEndian));
          break;
        }
        case 18: {
          if (length < 5) throw tooShort("u8", 1, at, length - 4, "oldServerSide");
          oldServerSide = view.getUint8(at + 4);
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    if (token === undefined) throw missing("token", base, end);
    if (family === undefined) throw missing("family", base, end);
    if (localAddress === undefined) throw missing("localAddress", base, end);
    if (localPort === undefined) throw missing("localPort", base, end);
    if (remoteAddress === undefined) throw missing("remoteAddress", base, end);
    if (remotePort === undefined) throw missing("remotePort", base, end);
    return { token, family, localAddress, localPort, remoteAddress, remotePort, flags, oldServerSide };
  },
};

export const closed = {
  decode({ input, start, end }: Payload): Closed {
    const { view } = input;
    let token: Closed["token"] | undefined;
    const base = start;
    for (let at = base; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 1: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "token");
          token = view.getUint32(at + 4, littleEndian);
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    if (token === undefined) throw missing("token", base, end);
    return { token };
  },
};

export const announced = {
  decode({ input, start, end }: Payload): Announced {
    const { view } = input;
    let token: Announced["token"] | undefined;
    let remoteId: Announced["remoteId"] | undefined;
    let family: Announced["family"] | undefined;
    let remoteAddress: Announced["remoteAddress"] | undefined;
    let remotePort: Announced["remotePort"] | undefined;
    const base = start;
    for (let at = base; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 1: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "token");
          token = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 4: {
          if (length < 5) throw tooShort("u8", 1, at, length - 4, "remoteId");
          remoteId = view.getUint8(at + 4);
          break;
        }
        case 2: {
          if (length < 6) throw tooShort("u16", 2, at, length - 4, "family");
          family = view.getUint16(at + 4, littleEndian);
          break;
        }
        case 7: {
          if (length < 8) throw tooShort("IPv4 address", 4, at, length - 4, "remoteAddress");
          remoteAddress = readIpv4(input, at + 4);
          break;
        }
        case 8: {
          if (length < 20) throw tooShort("IPv6 address", 16, at, length - 4, "remoteAddress");
          remoteAddress = readIpv6(input, at + 4);
          break;
        }
        case 10: {
          if (length < 6) throw tooShort("u16be", 2, at, length - 4, "remotePort");
          remotePort = view.getUint16(at + 4, false);
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    if (token === undefined) throw missing("token", base, end);
    if (remoteId === undefined) throw missing("remoteId", base, end);
    if (remoteAddress === undefined) throw missing("remoteAddress", base, end);
    if (remotePort === undefined) throw missing("remotePort", base, end);
    const decoded: Writable<Announced> = { token, remoteId, remoteAddress, remotePort };
    if (family !== undefined) decoded.family = family;
    return decoded;
  },
};

export const removed = {
  decode({ input, start, end }: Payload): Removed {
    const { view } = input;
    let token: Removed["token"] | undefined;
    let remoteId: Removed["remoteId"] | undefined;
    const base = start;
    for (let at = base; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 1: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "token");
          token = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 4: {
          if (length < 5) throw tooShort("u8", 1, at, length - 4, "remoteId");
          remoteId = view.getUint8(at + 4);
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    if (token === undefined) throw missing("token", base, end);
    if (remoteId === undefined) throw missing("remoteId", base, end);
    return { token, remoteId };
  },
};

export const subflow = {
  decode({ input, start, end }: Payload): Subflow {
    const { view } = input;
    let token: Subflow["token"] | undefined;
    let family: Subflow["family"] | undefined;
    let localId: Subflow["localId"] | undefined;
    let remoteId: Subflow["remoteId"] | undefined;
    let localAddress: Subflow["localAddress"] | undefined;
    let localPort: Subflow["localPort"] | undefined;
    let remoteAddress: Subflow["remoteAddress"] | undefined;
    let remotePort: Subflow["remotePort"] | undefined;
    let backup: Subflow["backup"] = 0;
    let error: Subflow["error"] | undefined;
    let timeout: Subflow["timeout"] | undefined;
    let ifIndex: Subflow["ifIndex"] = 0;
    let resetReason: Subflow["resetReason"] | undefined;
    let resetFlags: Subflow["resetFlags"] | undefined;
    const base = start;
    for (let at = base; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 1: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "token");
          token = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 2: {
          if (length < 6) throw tooShort("u16", 2, at, length - 4, "family");
          family = view.getUint16(at + 4, littleEndian);
          break;
        }
        case 3: {
          if (length < 5) throw tooShort("u8", 1, at, length - 4, "localId");
          localId = view.getUint8(at + 4);
          break;
        }
        case 4: {
          if (length < 5) throw tooShort("u8", 1, at, length - 4, "remoteId");
          remoteId = view.getUint8(at + 4);
          break;
        }
        case 5: {
          if (length < 8) throw tooShort("IPv4 address", 4, at, length - 4, "localAddress");
          localAddress = readIpv4(input, at + 4);
          break;
        }
        case 6: {
          if (length < 20) throw tooShort("IPv6 address", 16, at, length - 4, "localAddress");
          localAddress = readIpv6(input, at + 4);
          break;
        }
        case 9: {
          if (length < 6) throw tooShort("u16be", 2, at, length - 4, "localPort");
          localPort = view.getUint16(at + 4, false);
          break;
        }
        case 7: {
          if (length < 8) throw tooShort("IPv4 address", 4, at, length - 4, "remoteAddress");
          remoteAddress = readIpv4(input, at + 4);
          break;
        }
        case 8: {
          if (length < 20) throw tooShort("IPv6 address", 16, at, length - 4, "remoteAddress");
          remoteAddress = readIpv6(input, at + 4);
          break;
        }
        case 10: {
          if (length < 6) throw tooShort("u16be", 2, at, length - 4, "remotePort");
          remotePort = view.getUint16(at + 4, false);
          break;
        }
        case 11: {
          if (length < 5) throw tooShort("u8", 1, at, length - 4, "backup");
          backup = view.getUint8(at + 4);
          break;
        }
        case 12: {
          if (length < 5) throw tooShort("u8", 1, at, length - 4, "error");
          error = view.getUint8(at + 4);
          break;
        }
        case 14: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "timeout");
          timeout = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 15: {
          if (length < 8) throw tooShort("s32", 4, at, length - 4, "ifIndex");
          ifIndex = view.getInt32(at + 4, littleEndian);
          break;
        }
        case 16: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "resetReason");
          resetReason = view.getUint32(at + 4, littleEndian);
          break;
        }
        case 17: {
          if (length < 8) throw tooShort("u32", 4, at, length - 4, "resetFlags");
          resetFlags = view.getUint32(at + 4, littleEndian);
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    if (token === undefined) throw missing("token", base, end);
    if (family === undefined) throw missing("family", base, end);
    if (localId === undefined) throw missing("localId", base, end);
    if (remoteId === undefined) throw missing("remoteId", base, end);
    if (localAddress === undefined) throw missing("localAddress", base, end);
    if (localPort === undefined) throw missing("localPort", base, end);
    if (remoteAddress === undefined) throw missing("remoteAddress", base, end);
    if (remotePort === undefined) throw missing("remotePort", base, end);
    const decoded: Writable<Subflow> = {
      token,
      family,
      localId,
      remoteId,
      localAddress,
      localPort,
      remoteAddress,
      remotePort,
      backup,
      ifIndex,
    };
    if (error !== undefined) decoded.error = error;
    if (timeout !== undefined) decoded.timeout = timeout;
    if (resetReason !== undefined) decoded.resetReason = resetReason;
    if (resetFlags !== undefined) decoded.resetFlags = resetFlags;
    return decoded;
  },
};

export const listener = {
  decode({ input, start, end }: Payload): Listener {
    const { view } = input;
    let family: Listener["family"] | undefined;
    let localAddress: Listener["localAddress"] | undefined;
    let localPort: Listener["localPort"] | undefined;
    const base = start;
    for (let at = base; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 2: {
          if (length < 6) throw tooShort("u16", 2, at, length - 4, "family");
          family = view.getUint16(at + 4, littleEndian);
          break;
        }
        case 5: {
          if (length < 8) throw tooShort("IPv4 address", 4, at, length - 4, "localAddress");
          localAddress = readIpv4(input, at + 4);
          break;
        }
        case 6: {
          if (length < 20) throw tooShort("IPv6 address", 16, at, length - 4, "localAddress");
          localAddress = readIpv6(input, at + 4);
          break;
        }
        case 9: {
          if (length < 6) throw tooShort("u16be", 2, at, length - 4, "localPort");
          localPort = view.getUint16(at + 4, false);
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    if (family === undefined) throw missing("family", base, end);
    if (localAddress === undefined) throw missing("localAddress", base, end);
    if (localPort === undefined) throw missing("localPort", base, end);
    return { family, localAddress, localPort };
  },
};

export const mptcpSocket = {
  decode({ input, start, end }: Payload): MptcpSocket {
    const { view } = input;
    if (end - start < 72) throw tooShort("message", 72, start, end - start);
    let info: MptcpSocket["info"] | undefined;
    for (let at = start + 72; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 2: {
          if (length < 44) throw tooShort("struct", 40, at, length - 4, "info");
          const infoDecoded: Writable<NonNullable<MptcpSocket["info"]>> = {
            subflows: view.getUint8(at + 4),
            addAddrSignal: view.getUint8(at + 5),
            addAddrAccepted: view.getUint8(at + 6),
            subflowsMax: view.getUint8(at + 7),
            addAddrSignalMax: view.getUint8(at + 8),
            addAddrAcceptedMax: view.getUint8(at + 9),
            flags: mptcpInfoFlags.from(view.getUint32(at + 12, littleEndian)),
            token: view.getUint32(at + 16, littleEndian),
            writeSequence: view.getBigUint64(at + 20, littleEndian),
            sendUnacknowledged: view.getBigUint64(at + 28, littleEndian),
            receiveNext: view.getBigUint64(at + 36, littleEndian),
          };
          if (at + 45 <= next) infoDecoded.localAddressUsed = view.getUint8(at + 44);
          if (at + 46 <= next) infoDecoded.localAddressMax = view.getUint8(at + 45);
          if (at + 47 <= next) infoDecoded.checksumEnabled = view.getUint8(at + 46);
          if (at + 52 <= next) infoDecoded.retransmits = view.getUint32(at + 48, littleEndian);
          if (at + 60 <= next)
            infoDecoded.bytesRetransmitted = Number(view.getBigUint64(at + 52, littleEndian));
          if (at + 68 <= next) infoDecoded.bytesSent = Number(view.getBigUint64(at + 60, littleEndian));
          if (at + 76 <= next) infoDecoded.bytesReceived = Number(view.getBigUint64(at + 68, littleEndian));
          if (at + 84 <= next) infoDecoded.bytesAcked = Number(view.getBigUint64(at + 76, littleEndian));
          if (at + 85 <= next) infoDecoded.subflowsTotal = view.getUint8(at + 84);
          if (at + 86 <= next) infoDecoded.laminarMax = view.getUint8(at + 85);
          if (at + 87 <= next) infoDecoded.fullmeshMax = view.getUint8(at + 86);
          if (at + 88 <= next) infoDecoded.reserved = view.getUint8(at + 87);
          if (at + 92 <= next) infoDecoded.lastDataSent = view.getUint32(at + 88, littleEndian);
          if (at + 96 <= next) infoDecoded.lastDataReceived = view.getUint32(at + 92, littleEndian);
          if (at + 100 <= next) infoDecoded.lastAckReceived = view.getUint32(at + 96, littleEndian);
          info = infoDecoded;
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    const decoded: Writable<MptcpSocket> = {
      family: view.getUint8(start),
      state: view.getUint8(start + 1),
      timer: view.getUint8(start + 2),
      retransmits: view.getUint8(start + 3),
      id: {
        localPort: view.getUint16(start + 4, false),
        remotePort: view.getUint16(start + 6, false),
        local: readBytes(input, start + 8, start + 24),
        remote: readBytes(input, start + 24, start + 40),
        ifIndex: view.getUint32(start + 40, littleEndian),
        cookieLow: view.getUint32(start + 44, littleEndian),
        cookieHigh: view.getUint32(start + 48, littleEndian),
      },
      expires: view.getUint32(start + 52, littleEndian),
      receiveQueue: view.getUint32(start + 56, littleEndian),
      sendQueue: view.getUint32(start + 60, littleEndian),
      uid: view.getUint32(start + 64, littleEndian),
      inode: view.getUint32(start + 68, littleEndian),
    };
    if (info !== undefined) decoded.info = info;
    return decoded;
  },
};

export const tcpSocket = {
  decode({ input, start, end }: Payload): TcpSocket {
    const { view } = input;
    if (end - start < 72) throw tooShort("message", 72, start, end - start);
    let info: TcpSocket["info"] | undefined;
    let upperLayer: TcpSocket["upperLayer"] | undefined;
    for (let at = start + 72; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 2: {
          if (length < 108) throw tooShort("struct", 104, at, length - 4, "info");
          const infoDecoded: Writable<NonNullable<TcpSocket["info"]>> = {
            state: view.getUint8(at + 4),
            congestionState: view.getUint8(at + 5),
            retransmits: view.getUint8(at + 6),
            probes: view.getUint8(at + 7),
            backoff: view.getUint8(at + 8),
            options: view.getUint8(at + 9),
            windowScales: view.getUint8(at + 10),
            rateLimits: view.getUint8(at + 11),
            retransmissionTimeout: view.getUint32(at + 12, littleEndian),
            acknowledgementTimeout: view.getUint32(at + 16, littleEndian),
            sendSegmentSize: view.getUint32(at + 20, littleEndian),
            receiveSegmentSize: view.getUint32(at + 24, littleEndian),
            unacknowledged: view.getUint32(at + 28, littleEndian),
            selectivelyAcknowledged: view.getUint32(at + 32, littleEndian),
            lost: view.getUint32(at + 36, littleEndian),
            retransmitted: view.getUint32(at + 40, littleEndian),
            forwardAcknowledged: view.getUint32(at + 44, littleEndian),
            lastDataSent: view.getUint32(at + 48, littleEndian),
            lastAckSent: view.getUint32(at + 52, littleEndian),
            lastDataReceived: view.getUint32(at + 56, littleEndian),
            lastAckReceived: view.getUint32(at + 60, littleEndian),
            pathMtu: view.getUint32(at + 64, littleEndian),
            receiveThreshold: view.getUint32(at + 68, littleEndian),
            rtt: view.getUint32(at + 72, littleEndian),
            rttVariance: view.getUint32(at + 76, littleEndian),
            sendThreshold: view.getUint32(at + 80, littleEndian),
            congestionWindow: view.getUint32(at + 84, littleEndian),
            advertisedSegmentSize: view.getUint32(at + 88, littleEndian),
            reordering: view.getUint32(at + 92, littleEndian),
            receiveRtt: view.getUint32(at + 96, littleEndian),
            receiveSpace: view.getUint32(at + 100, littleEndian),
            totalRetransmits: view.getUint32(at + 104, littleEndian),
          };
          if (at + 116 <= next) infoDecoded.pacingRate = view.getBigUint64(at + 108, littleEndian);
          if (at + 124 <= next) infoDecoded.maxPacingRate = view.getBigUint64(at + 116, littleEndian);
          if (at + 132 <= next) infoDecoded.bytesAcked = Number(view.getBigUint64(at + 124, littleEndian));
          if (at + 140 <= next) infoDecoded.bytesReceived = Number(view.getBigUint64(at + 132, littleEndian));
          if (at + 144 <= next) infoDecoded.segmentsOut = view.getUint32(at + 140, littleEndian);
          if (at + 148 <= next) infoDecoded.segmentsIn = view.getUint32(at + 144, littleEndian);
          if (at + 152 <= next) infoDecoded.notSentBytes = view.getUint32(at + 148, littleEndian);
          if (at + 156 <= next) infoDecoded.minRtt = view.getUint32(at + 152, littleEndian);
          if (at + 160 <= next) infoDecoded.dataSegmentsIn = view.getUint32(at + 156, littleEndian);
          if (at + 164 <= next) infoDecoded.dataSegmentsOut = view.getUint32(at + 160, littleEndian);
          if (at + 172 <= next) infoDecoded.deliveryRate = Number(view.getBigUint64(at + 164, littleEndian));
          if (at + 180 <= next) infoDecoded.busyTime = Number(view.getBigUint64(at + 172, littleEndian));
          if (at + 188 <= next)
            infoDecoded.receiveWindowLimited = Number(view.getBigUint64(at + 180, littleEndian));
          if (at + 196 <= next)
            infoDecoded.sendBufferLimited = Number(view.getBigUint64(at + 188, littleEndian));
          if (at + 200 <= next) infoDecoded.delivered = view.getUint32(at + 196, littleEndian);
          if (at + 204 <= next) infoDecoded.deliveredCongested = view.getUint32(at + 200, littleEndian);
          if (at + 212 <= next) infoDecoded.bytesSent = Number(view.getBigUint64(at + 204, littleEndian));
          if (at + 220 <= next)
            infoDecoded.bytesRetransmitted = Number(view.getBigUint64(at + 212, littleEndian));
          if (at + 224 <= next) infoDecoded.duplicateSacks = view.getUint32(at + 220, littleEndian);
          if (at + 228 <= next) infoDecoded.reorderingsSeen = view.getUint32(at + 224, littleEndian);
          if (at + 232 <= next) infoDecoded.outOfOrderPackets = view.getUint32(at + 228, littleEndian);
          if (at + 236 <= next) infoDecoded.sendWindow = view.getUint32(at + 232, littleEndian);
          info = infoDecoded;
          break;
        }
        case 19: {
          let upperLayerName: NonNullable<TcpSocket["upperLayer"]>["name"] | undefined;
          let upperLayerMptcp: NonNullable<TcpSocket["upperLayer"]>["mptcp"] | undefined;
          for (let at1 = at + 4; at1 < next; ) {
            const length1 = next - at1 < 4 ? 0 : view.getUint16(at1, littleEndian);
            const next1 = at1 + length1;
            if (length1 < 4 || next1 > next) throw badLength(input, at1, next, "upperLayer");
            switch (view.getUint16(at1 + 2, littleEndian) & NLA_TYPE_MASK) {
              case 1: {
                upperLayerName = readString(input, at1 + 4, next1);
                break;
              }
              case 3: {
                let upperLayerMptcpRemoteToken:
                  | NonNullable<NonNullable<TcpSocket["upperLayer"]>["mptcp"]>["remoteToken"]
                  | undefined;
                let upperLayerMptcpLocalToken:
                  | NonNullable<NonNullable<TcpSocket["upperLayer"]>["mptcp"]>["localToken"]
                  | undefined;
                let upperLayerMptcpRelativeWriteSequence:
                  | NonNullable<NonNullable<TcpSocket["upperLayer"]>["mptcp"]>["relativeWriteSequence"]
                  | undefined;
                let upperLayerMptcpMapSequence:
                  | NonNullable<NonNullable<TcpSocket["upperLayer"]>["mptcp"]>["mapSequence"]
                  | undefined;
                let upperLayerMptcpMapSubflowSequence:
                  | NonNullable<NonNullable<TcpSocket["upperLayer"]>["mptcp"]>["mapSubflowSequence"]
                  | undefined;
                let upperLayerMptcpSubflowSequenceOffset:
                  | NonNullable<NonNullable<TcpSocket["upperLayer"]>["mptcp"]>["subflowSequenceOffset"]
                  | undefined;
                let upperLayerMptcpMapDataLength:
                  | NonNullable<NonNullable<TcpSocket["upperLayer"]>["mptcp"]>["mapDataLength"]
                  | undefined;
                let upperLayerMptcpFlags:
                  | NonNullable<NonNullable<TcpSocket["upperLayer"]>["mptcp"]>["flags"]
                  | undefined;
                let upperLayerMptcpRemoteId:
                  | NonNullable<NonNullable<TcpSocket["upperLayer"]>["mptcp"]>["remoteId"]
                  | undefined;
                let upperLayerMptcpLocalId:
                  | NonNullable<NonNullable<TcpSocket["upperLayer"]>["mptcp"]>["localId"]
                  | undefined;
                for (let at2 = at1 + 4; at2 < next1; ) {
                  const length2 = next1 - at2 < 4 ? 0 : view.getUint16(at2, littleEndian);
                  const next2 = at2 + length2;
                  if (length2 < 4 || next2 > next1) throw badLength(input, at2, next1, "upperLayer.mptcp");
                  switch (view.getUint16(at2 + 2, littleEndian) & NLA_TYPE_MASK) {
                    case 1: {
                      if (length2 < 8)
                        throw tooShort("u32", 4, at2, length2 - 4, "upperLayer.mptcp.remoteToken");
                      upperLayerMptcpRemoteToken = view.getUint32(at2 + 4, littleEndian);
                      break;
                    }
                    case 2: {
                      if (length2 < 8)
                        throw tooShort("u32", 4, at2, length2 - 4, "upperLayer.mptcp.localToken");
                      upperLayerMptcpLocalToken = view.getUint32(at2 + 4, littleEndian);
                      break;
                    }
                    case 3: {
                      if (length2 < 8)
                        throw tooShort("u32", 4, at2, length2 - 4, "upperLayer.mptcp.relativeWriteSequence");
                      upperLayerMptcpRelativeWriteSequence = view.getUint32(at2 + 4, littleEndian);
                      break;
                    }
                    case 4: {
                      if (length2 < 12)
                        throw tooShort("u64", 8, at2, length2 - 4, "upperLayer.mptcp.mapSequence");
                      upperLayerMptcpMapSequence = view.getBigUint64(at2 + 4, littleEndian);
                      break;
                    }
                    case 5: {
                      if (length2 < 8)
                        throw tooShort("u32", 4, at2, length2 - 4, "upperLayer.mptcp.mapSubflowSequence");
                      upperLayerMptcpMapSubflowSequence = view.getUint32(at2 + 4, littleEndian);
                      break;
                    }
                    case 6: {
                      if (length2 < 8)
                        throw tooShort("u32", 4, at2, length2 - 4, "upperLayer.mptcp.subflowSequenceOffset");
                      upperLayerMptcpSubflowSequenceOffset = view.getUint32(at2 + 4, littleEndian);
                      break;
                    }
                    case 7: {
                      if (length2 < 6)
                        throw tooShort("u16", 2, at2, length2 - 4, "upperLayer.mptcp.mapDataLength");
                      upperLayerMptcpMapDataLength = view.getUint16(at2 + 4, littleEndian);
                      break;
                    }
                    case 8: {
                      if (length2 < 8)
                        throw tooShort("u32 of flags", 4, at2, length2 - 4, "upperLayer.mptcp.flags");
                      upperLayerMptcpFlags = subflowFlags.from(view.getUint32(at2 + 4, littleEndian));
                      break;
                    }
                    case 9: {
                      if (length2 < 5) throw tooShort("u8", 1, at2, length2 - 4, "upperLayer.mptcp.remoteId");
                      upperLayerMptcpRemoteId = view.getUint8(at2 + 4);
                      break;
                    }
                    case 10: {
                      if (length2 < 5) throw tooShort("u8", 1, at2, length2 - 4, "upperLayer.mptcp.localId");
                      upperLayerMptcpLocalId = view.getUint8(at2 + 4);
                      break;
                    }
                  }
                  at2 += (length2 + 3) & ~3;
                }
                const upperLayerMptcpDecoded: Writable<
                  NonNullable<NonNullable<TcpSocket["upperLayer"]>["mptcp"]>
                > = {};
                if (upperLayerMptcpRemoteToken !== undefined)
                  upperLayerMptcpDecoded.remoteToken = upperLayerMptcpRemoteToken;
                if (upperLayerMptcpLocalToken !== undefined)
                  upperLayerMptcpDecoded.localToken = upperLayerMptcpLocalToken;
                if (upperLayerMptcpRelativeWriteSequence !== undefined)
                  upperLayerMptcpDecoded.relativeWriteSequence = upperLayerMptcpRelativeWriteSequence;
                if (upperLayerMptcpMapSequence !== undefined)
                  upperLayerMptcpDecoded.mapSequence = upperLayerMptcpMapSequence;
                if (upperLayerMptcpMapSubflowSequence !== undefined)
                  upperLayerMptcpDecoded.mapSubflowSequence = upperLayerMptcpMapSubflowSequence;
                if (upperLayerMptcpSubflowSequenceOffset !== undefined)
                  upperLayerMptcpDecoded.subflowSequenceOffset = upperLayerMptcpSubflowSequenceOffset;
                if (upperLayerMptcpMapDataLength !== undefined)
                  upperLayerMptcpDecoded.mapDataLength = upperLayerMptcpMapDataLength;
                if (upperLayerMptcpFlags !== undefined) upperLayerMptcpDecoded.flags = upperLayerMptcpFlags;
                if (upperLayerMptcpRemoteId !== undefined)
                  upperLayerMptcpDecoded.remoteId = upperLayerMptcpRemoteId;
                if (upperLayerMptcpLocalId !== undefined)
                  upperLayerMptcpDecoded.localId = upperLayerMptcpLocalId;
                upperLayerMptcp = upperLayerMptcpDecoded;
                break;
              }
            }
            at1 += (length1 + 3) & ~3;
          }
          const upperLayerDecoded: Writable<NonNullable<TcpSocket["upperLayer"]>> = {};
          if (upperLayerName !== undefined) upperLayerDecoded.name = upperLayerName;
          if (upperLayerMptcp !== undefined) upperLayerDecoded.mptcp = upperLayerMptcp;
          upperLayer = upperLayerDecoded;
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    const decoded: Writable<TcpSocket> = {
      family: view.getUint8(start),
      state: view.getUint8(start + 1),
      timer: view.getUint8(start + 2),
      retransmits: view.getUint8(start + 3),
      id: {
        localPort: view.getUint16(start + 4, false),
        remotePort: view.getUint16(start + 6, false),
        local: readBytes(input, start + 8, start + 24),
        remote: readBytes(input, start + 24, start + 40),
        ifIndex: view.getUint32(start + 40, littleEndian),
        cookieLow: view.getUint32(start + 44, littleEndian),
        cookieHigh: view.getUint32(start + 48, littleEndian),
      },
      expires: view.getUint32(start + 52, littleEndian),
      receiveQueue: view.getUint32(start + 56, littleEndian),
      sendQueue: view.getUint32(start + 60, littleEndian),
      uid: view.getUint32(start + 64, littleEndian),
      inode: view.getUint32(start + 68, littleEndian),
    };
    if (info !== undefined) decoded.info = info;
    if (upperLayer !== undefined) decoded.upperLayer = upperLayer;
    return decoded;
  },
};

export const mptcpOutline = {
  decode({ input, start, end }: Payload): MptcpOutline {
    const { view } = input;
    if (end - start < 72) throw tooShort("message", 72, start, end - start);
    let info: MptcpOutline["info"] | undefined;
    for (let at = start + 72; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 2: {
          if (length < 20) throw tooShort("struct", 16, at, length - 4, "info");
          info = {
            counts: readBytes(input, at + 4, at + 10),
            flags: mptcpInfoFlags.from(view.getUint32(at + 12, littleEndian)),
            token: view.getUint32(at + 16, littleEndian),
          };
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    const decoded: Writable<MptcpOutline> = {
      family: view.getUint8(start),
      state: view.getUint8(start + 1),
      timer: view.getUint8(start + 2),
      retransmits: view.getUint8(start + 3),
      id: {
        localPort: view.getUint16(start + 4, false),
        remotePort: view.getUint16(start + 6, false),
        local: readBytes(input, start + 8, start + 24),
        remote: readBytes(input, start + 24, start + 40),
        ifIndex: view.getUint32(start + 40, littleEndian),
        cookieLow: view.getUint32(start + 44, littleEndian),
        cookieHigh: view.getUint32(start + 48, littleEndian),
      },
      expires: view.getUint32(start + 52, littleEndian),
      receiveQueue: view.getUint32(start + 56, littleEndian),
      sendQueue: view.getUint32(start + 60, littleEndian),
      uid: view.getUint32(start + 64, littleEndian),
      inode: view.getUint32(start + 68, littleEndian),
    };
    if (info !== undefined) decoded.info = info;
    return decoded;
  },
};

export const tcpOutline = {
  decode({ input, start, end }: Payload): TcpOutline {
    const { view } = input;
    if (end - start < 72) throw tooShort("message", 72, start, end - start);
    let upperLayer: TcpOutline["upperLayer"] | undefined;
    for (let at = start + 72; at < end; ) {
      const length = end - at < 4 ? 0 : view.getUint16(at, littleEndian);
      const next = at + length;
      if (length < 4 || next > end) throw badLength(input, at, end);
      switch (view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) {
        case 19: {
          let upperLayerMptcp: NonNullable<TcpOutline["upperLayer"]>["mptcp"] | undefined;
          for (let at1 = at + 4; at1 < next; ) {
            const length1 = next - at1 < 4 ? 0 : view.getUint16(at1, littleEndian);
            const next1 = at1 + length1;
            if (length1 < 4 || next1 > next) throw badLength(input, at1, next, "upperLayer");
            switch (view.getUint16(at1 + 2, littleEndian) & NLA_TYPE_MASK) {
              case 3: {
                let upperLayerMptcpLocalToken:
                  | NonNullable<NonNullable<TcpOutline["upperLayer"]>["mptcp"]>["localToken"]
                  | undefined;
                let upperLayerMptcpFlags:
                  | NonNullable<NonNullable<TcpOutline["upperLayer"]>["mptcp"]>["flags"]
                  | undefined;
                let upperLayerMptcpRemoteId:
                  | NonNullable<NonNullable<TcpOutline["upperLayer"]>["mptcp"]>["remoteId"]
                  | undefined;
                let upperLayerMptcpLocalId:
                  | NonNullable<NonNullable<TcpOutline["upperLayer"]>["mptcp"]>["localId"]
                  | undefined;
                for (let at2 = at1 + 4; at2 < next1; ) {
                  const length2 = next1 - at2 < 4 ? 0 : view.getUint16(at2, littleEndian);
                  const next2 = at2 + length2;
                  if (length2 < 4 || next2 > next1) throw badLength(input, at2, next1, "upperLayer.mptcp");
                  switch (view.getUint16(at2 + 2, littleEndian) & NLA_TYPE_MASK) {
                    case 2: {
                      if (length2 < 8)
                        throw tooShort("u32", 4, at2, length2 - 4, "upperLayer.mptcp.localToken");
                      upperLayerMptcpLocalToken = view.getUint32(at2 + 4, littleEndian);
                      break;
                    }
                    case 8: {
                      if (length2 < 8)
                        throw tooShort("u32 of flags", 4, at2, length2 - 4, "upperLayer.mptcp.flags");
                      upperLayerMptcpFlags = subflowFlags.from(view.getUint32(at2 + 4, littleEndian));
                      break;
                    }
                    case 9: {
                      if (length2 < 5) throw tooShort("u8", 1, at2, length2 - 4, "upperLayer.mptcp.remoteId");
                      upperLayerMptcpRemoteId = view.getUint8(at2 + 4);
                      break;
                    }
                    case 10: {
                      if (length2 < 5) throw tooShort("u8", 1, at2, length2 - 4, "upperLayer.mptcp.localId");
                      upperLayerMptcpLocalId = view.getUint8(at2 + 4);
                      break;
                    }
                  }
                  at2 += (length2 + 3) & ~3;
                }
                const upperLayerMptcpDecoded: Writable<
                  NonNullable<NonNullable<TcpOutline["upperLayer"]>["mptcp"]>
                > = {};
                if (upperLayerMptcpLocalToken !== undefined)
                  upperLayerMptcpDecoded.localToken = upperLayerMptcpLocalToken;
                if (upperLayerMptcpFlags !== undefined) upperLayerMptcpDecoded.flags = upperLayerMptcpFlags;
                if (upperLayerMptcpRemoteId !== undefined)
                  upperLayerMptcpDecoded.remoteId = upperLayerMptcpRemoteId;
                if (upperLayerMptcpLocalId !== undefined)
                  upperLayerMptcpDecoded.localId = upperLayerMptcpLocalId;
                upperLayerMptcp = upperLayerMptcpDecoded;
                break;
              }
            }
            at1 += (length1 + 3) & ~3;
          }
          const upperLayerDecoded: Writable<NonNullable<TcpOutline["upperLayer"]>> = {};
          if (upperLayerMptcp !== undefined) upperLayerDecoded.mptcp = upperLayerMptcp;
          upperLayer = upperLayerDecoded;
          break;
        }
      }
      at += (length + 3) & ~3;
    }
    const decoded: Writable<TcpOutline> = {
      family: view.getUint8(start),
      state: view.getUint8(start + 1),
      timer: view.getUint8(start + 2),
      retransmits: view.getUint8(start + 3),
      id: {
        localPort: view.getUint16(start + 4, false),
        remotePort: view.getUint16(start + 6, false),
        local: readBytes(input, start + 8, start + 24),
        remote: readBytes(input, start + 24, start + 40),
        ifIndex: view.getUint32(start + 40, littleEndian),
        cookieLow: view.getUint32(start + 44, littleEndian),
        cookieHigh: view.getUint32(start + 48, littleEndian),
      },
      expires: view.getUint32(start + 52, littleEndian),
      receiveQueue: view.getUint32(start + 56, littleEndian),
      sendQueue: view.getUint32(start + 60, littleEndian),
      uid: view.getUint32(start + 64, littleEndian),
      inode: view.getUint32(start + 68, littleEndian),
    };
    if (upperLayer !== undefined) decoded.upperLayer = upperLayer;
    return decoded;
  },
};

export const socketRequest = {
  write(output: Output, value: SocketRequestValue): void {
    if (output.length + 64 > output.bytes.length) output.makeRoom(64);
    const { view, bytes } = output;
    const start = output.length;
    let at = start + 56;
    const family = value.family;
    if (family !== undefined) {
      if (!(typeof family === "number" && (family & 0xff) === family)) throw misfit("family", family, "u8");
      view.setUint8(start, family);
    }
    const protocol = value.protocol;
    if (protocol !== undefined) {
      if (!(typeof protocol === "number" && (protocol & 0xff) === protocol))
        throw misfit("protocol", protocol, "u8");
      view.setUint8(start + 1, protocol);
    }
    const extensions = value.extensions;
    if (extensions !== undefined) {
      if (!(typeof extensions === "number" && (extensions & 0xff) === extensions))
        throw misfit("extensions", extensions, "u8");
      view.setUint8(start + 2, extensions);
    }
    const pad = value.pad;
    if (pad !== undefined) {
      if (!(typeof pad === "number" && (pad & 0xff) === pad)) throw misfit("pad", pad, "u8");
      view.setUint8(start + 3, pad);
    }
    const states = value.states;
    if (states !== undefined) {
      if (!(typeof states === "number" && states >>> 0 === states)) throw misfit("states", states, "u32");
      view.setUint32(start + 4, states, littleEndian);
    }
    const id = value.id;
    if (id !== undefined) {
      if (!(typeof id === "object" && id !== null)) throw misfit("id", id, "struct");
      const idLocalPort = id.localPort;
      if (idLocalPort !== undefined) {
        if (!(typeof idLocalPort === "number" && (idLocalPort & 0xffff) === idLocalPort))
          throw misfit("id.localPort", idLocalPort, "u16be");
        view.setUint16(start + 8, idLocalPort, false);
      }
      const idRemotePort = id.remotePort;
      if (idRemotePort !== undefined) {
        if (!(typeof idRemotePort === "number" && (idRemotePort & 0xffff) === idRemotePort))
          throw misfit("id.remotePort", idRemotePort, "u16be");
        view.setUint16(start + 10, idRemotePort, false);
      }
      const idLocal = id.local;
      if (idLocal !== undefined) {
        if (!(idLocal instanceof Uint8Array && idLocal.length === 16))
          throw misfit("id.local", idLocal, "16 bytes");
        bytes.set(idLocal, start + 12);
      }
      const idRemote = id.remote;
      if (idRemote !== undefined) {
        if (!(idRemote instanceof Uint8Array && idRemote.length === 16))
          throw misfit("id.remote", idRemote, "16 bytes");
        bytes.set(idRemote, start + 28);
      }
      const idIfIndex = id.ifIndex;
      if (idIfIndex !== undefined) {
        if (!(typeof idIfIndex === "number" && idIfIndex >>> 0 === idIfIndex))
          throw misfit("id.ifIndex", idIfIndex, "u32");
        view.setUint32(start + 44, idIfIndex, littleEndian);
      }
      const idCookieLow = id.cookieLow;
      if (idCookieLow !== undefined) {
        if (!(typeof idCookieLow === "number" && idCookieLow >>> 0 === idCookieLow))
          throw misfit("id.cookieLow", idCookieLow, "u32");
        view.setUint32(start + 48, idCookieLow, littleEndian);
      }
      const idCookieHigh = id.cookieHigh;
      if (idCookieHigh !== undefined) {
        if (!(typeof idCookieHigh === "number" && idCookieHigh >>> 0 === idCookieHigh))
          throw misfit("id.cookieHigh", idCookieHigh, "u32");
        view.setUint32(start + 52, idCookieHigh, littleEndian);
      }
    }
    const wideProtocol = value.wideProtocol;
    if (wideProtocol !== undefined) {
      if (!(typeof wideProtocol === "number" && wideProtocol >>> 0 === wideProtocol))
        throw misfit("wideProtocol", wideProtocol, "u32");
      view.setUint32(at + 4, wideProtocol, littleEndian);
      view.setUint16(at, 8, littleEndian);
      view.setUint16(at + 2, 3, littleEndian);
      at += 8;
    }
    output.length = at;
  },
  names: { from: 56, names: { 3: ["wideProtocol"] } } satisfies AttributeNames,
};
