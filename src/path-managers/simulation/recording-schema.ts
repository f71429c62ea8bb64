/** The lines of a recording, as valibot schemas: from JSON to what the rest of the program has. */
import * as v from "valibot";
import { addressFlags } from "../../kernel/addresses.ts";
import { subflowFlags, type TcpState, tcpStates } from "../../kernel/inet-diag.ts";
import { linkFlags, operStates } from "../../kernel/links.ts";
import { eventFlags } from "../../kernel/mptcp-pm-events.ts";
import type { BitNames, Bits } from "../../kernel/netlink/bits.ts";
import { canonicalIp } from "../../kernel/netlink/ip.ts";

/** A number from 0 to a most. */
const unsigned = (most: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(most));
const u8 = unsigned(0xff);
const u16 = unsigned(0xffff);
const u32 = unsigned(0xffff_ffff);
const inode = unsigned(Number.MAX_SAFE_INTEGER);

const address = v.pipe(
  v.string(),
  v.check(
    (text) => canonicalIp(text) === text,
    (issue) => `${JSON.stringify(issue.input)} is no IP address`,
  ),
);
const place = v.object({ address, port: u16 });
const family = v.picklist([4, 6]);

/** Eight hexadecimal digits, as people see tokens everywhere. */
const token = v.pipe(
  v.string(),
  v.regex(
    /^[\da-f]{8}$/,
    (issue) => `${JSON.stringify(issue.input)} is no token: it has eight hexadecimal digits`,
  ),
  v.transform((text) => Number.parseInt(text, 16)),
);

/** "up,running", and "0x80" for bits without a name. */
function bitsText<Name extends string>(declaration: BitNames<Name>) {
  return v.pipe(
    v.string(),
    v.rawTransform<string, Bits<Name>>(({ dataset, addIssue, NEVER }) => {
      const words = dataset.value === "" ? [] : dataset.value.split(",");
      let value = 0;
      for (const word of words) {
        const name = declaration.names.find((known) => known === word);
        const number = /^0x[\da-f]{1,8}$/.test(word) ? Number(word) : undefined;
        if (name === undefined && number === undefined) {
          addIssue({
            message: `${JSON.stringify(word)} is no flag: known are ${declaration.names.join(", ")}`,
          });
          return NEVER;
        }
        value |= name === undefined ? (number ?? 0) : declaration.of(name).value;
      }
      return declaration.from(value);
    }),
  );
}

const localEnd = { localAddress: address, localPort: u16 };
const remoteEnd = { remoteAddress: address, remotePort: u16 };
const opening = {
  ...{ token, family: u16, ...localEnd, ...remoteEnd },
  ...{ flags: bitsText(eventFlags), serverSide: v.boolean(), denyJoinId0: v.boolean() },
};
const subflowEvent = {
  ...{ token, family: u16, localId: u8, remoteId: u8, ...localEnd, ...remoteEnd, backup: v.boolean() },
  ...{ error: v.exactOptional(u8), timeout: v.exactOptional(u32), ifIndex: v.pipe(v.number(), v.integer()) },
  ...{ resetReason: v.exactOptional(u32), resetFlags: v.exactOptional(u32) },
};
const listener = { family: u16, ...localEnd };

/** MptcpEvent. */
export const event = v.variant(
  "event",
  [
    v.object({ event: v.literal("created"), ...opening }),
    v.object({ event: v.literal("established"), ...opening }),
    v.object({ event: v.literal("closed"), token }),
    v.object({
      event: v.literal("announced"),
      ...{ token, remoteId: u8, family: v.exactOptional(u16), ...remoteEnd },
    }),
    v.object({ event: v.literal("removed"), token, remoteId: u8 }),
    v.object({ event: v.literal("subflowEstablished"), ...subflowEvent }),
    v.object({ event: v.literal("subflowClosed"), ...subflowEvent }),
    v.object({ event: v.literal("subflowPriority"), ...subflowEvent }),
    v.object({ event: v.literal("listenerCreated"), ...listener }),
    v.object({ event: v.literal("listenerClosed"), ...listener }),
    v.object({ event: v.literal("unknown"), number: u8 }),
  ],
  (issue) => `${JSON.stringify(issue.input)} is no event`,
);

const stateNames = Object.keys(tcpStates);
const tcpState = v.custom<TcpState>(
  (input) => typeof input === "string" && stateNames.includes(input),
  (issue) => `${JSON.stringify(issue.input)} is no state: known are ${stateNames.join(", ")}`,
);

/** ConnectionOutline. */
export const connection = v.object({
  ...{
    token,
    socketFamily: family,
    local: place,
    remote: place,
    state: tcpState,
    inode,
    fallback: v.boolean(),
  },
  subflows: v.array(
    v.object({
      ...{ socketFamily: family, local: place, remote: place, localId: u8, remoteId: u8, ifIndex: u32 },
      ...{ state: tcpState, flags: bitsText(subflowFlags) },
    }),
  ),
});

const link = v.object({
  ...{ index: u32, name: v.string(), altNames: v.array(v.string()), type: u16, master: u32 },
  ...{ kind: v.exactOptional(v.string()), slaveKind: v.exactOptional(v.string()) },
  ...{ flags: bitsText(linkFlags), operState: v.picklist(operStates) },
  ...{ lower: v.exactOptional(u32), parentDevice: v.exactOptional(v.string()) },
  ...{ vnetHeader: v.exactOptional(v.boolean()) },
  ...{ carrierUpCount: v.exactOptional(u32), mtu: v.exactOptional(u32) },
});

const interfaceAddress = v.object({
  ...{ ifIndex: u32, family, address, peer: v.exactOptional(address), prefixLength: u8, scope: u8 },
  ...{ flags: bitsText(addressFlags), created: u32 },
});

const route = v.object({
  ...{ family, destination: v.exactOptional(address), prefixLength: u8, table: u32, type: u8, scope: u8 },
  ...{ protocol: u8, metric: u32, source: v.exactOptional(address), nextHopId: v.exactOptional(u32) },
  hops: v.array(
    v.object({
      ...{ ifIndex: v.pipe(v.number(), v.integer()), gateway: v.exactOptional(address), weight: u16 },
      dead: v.exactOptional(v.literal(true)),
    }),
  ),
});

/** Network. Lifetimes of addresses are left out: path managers do not see them, and they change all the time. */
export const network = v.object({
  links: v.array(link),
  addresses: v.array(interfaceAddress),
  defaultRoutes: v.array(route),
  egress: v.array(v.object({ family, ifIndex: u32, sharedWith: v.exactOptional(v.array(u32)) })),
  formerNames: v.array(v.object({ index: u32, name: v.string() })),
});
