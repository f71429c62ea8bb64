import fc from "fast-check";
import type { Network } from "../../../../src/control/network/network.ts";
import { addressFlags } from "../../../../src/kernel/addresses.ts";
import { subflowFlags, type TcpState, tcpStates } from "../../../../src/kernel/inet-diag.ts";
import { type Link, linkFlags, operStates } from "../../../../src/kernel/links.ts";
import type { MptcpEvent } from "../../../../src/kernel/mptcp-pm.ts";
import { eventFlags } from "../../../../src/kernel/mptcp-pm-events.ts";
import type { BitNames, Bits } from "../../../../src/kernel/netlink/bits.ts";
import { canonicalIp } from "../../../../src/kernel/netlink/ip.ts";
import type { ConnectionOutline } from "../../../../src/kernel/sockets.ts";
import type { RecordedItem } from "../../../../src/path-managers/simulation/recording.ts";

/** Plain ones, as JSON gives them: deepEqual looks at prototypes. */
function record<T, const Keys extends keyof T = keyof T>(
  fields: { [K in keyof T]: fc.Arbitrary<T[K]> },
  { requiredKeys }: { requiredKeys?: Keys[] } = {},
) {
  return requiredKeys === undefined
    ? fc.record<T, Keys>(fields, { noNullPrototype: true })
    : fc.record<T, Keys>(fields, { requiredKeys, noNullPrototype: true });
}

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const s32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const family = fc.constantFrom(4 as const, 6 as const);

const address = fc
  .oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV4().map((text) => `::ffff:${text}`),
  )
  .map((text) => canonicalIp(text) ?? "::");
const place = record({ address, port: u16 });

/** With and without bits that have no name. */
function flags<Name extends string>(declaration: BitNames<Name>): fc.Arbitrary<Bits<Name>> {
  return fc.oneof(
    fc.subarray([...declaration.names]).map((names) => declaration.of(...names)),
    u32.map(declaration.from),
  );
}

const localEnd = { localAddress: address, localPort: u16 };
const remoteEnd = { remoteAddress: address, remotePort: u16 };
const opening = {
  ...{ token: u32, family: u16, ...localEnd, ...remoteEnd, flags: flags(eventFlags) },
  ...{ serverSide: fc.boolean(), denyJoinId0: fc.boolean() },
};
const subflow = {
  ...{ token: u32, family: u16, localId: u8, remoteId: u8, ...localEnd, ...remoteEnd },
  ...{ backup: fc.boolean(), ifIndex: s32 },
};
const certain = ["token", "family", "localId", "remoteId", "backup", "ifIndex"] as const;
const ends = ["localAddress", "localPort", "remoteAddress", "remotePort"] as const;
const why = { error: u8, timeout: u32, resetReason: u32, resetFlags: u32 };

function subflowEvent<const Name extends "subflowEstablished" | "subflowClosed" | "subflowPriority">(
  event: Name,
) {
  return record(
    { event: fc.constant(event), ...subflow, ...why },
    { requiredKeys: ["event", ...certain, ...ends] },
  );
}

const event: fc.Arbitrary<MptcpEvent> = fc.oneof(
  record({ event: fc.constantFrom("created" as const, "established" as const), ...opening }),
  record({ event: fc.constant("closed" as const), token: u32 }),
  record(
    { event: fc.constant("announced" as const), token: u32, remoteId: u8, family: u16, ...remoteEnd },
    { requiredKeys: ["event", "token", "remoteId", "remoteAddress", "remotePort"] },
  ),
  record({ event: fc.constant("removed" as const), token: u32, remoteId: u8 }),
  subflowEvent("subflowEstablished"),
  subflowEvent("subflowClosed"),
  subflowEvent("subflowPriority"),
  record({
    event: fc.constantFrom("listenerCreated" as const, "listenerClosed" as const),
    ...{ family: u16, ...localEnd },
  }),
  record({ event: fc.constant("unknown" as const), number: u8 }),
);

function isState(name: string): name is TcpState {
  return Object.hasOwn(tcpStates, name);
}
const state = fc.constantFrom(...Object.keys(tcpStates).filter(isState));

const connection: fc.Arbitrary<ConnectionOutline> = record({
  ...{
    token: u32,
    socketFamily: family,
    local: place,
    remote: place,
    state,
    inode: u32,
    fallback: fc.boolean(),
  },
  subflows: fc.array(
    record({
      ...{
        socketFamily: family,
        local: place,
        remote: place,
        localId: u8,
        remoteId: u8,
        ifIndex: u32,
        state,
      },
      flags: flags(subflowFlags),
    }),
    { maxLength: 3 },
  ),
});

const link: fc.Arbitrary<Link> = record(
  {
    ...{
      index: u32,
      name: fc.string(),
      altNames: fc.array(fc.string(), { maxLength: 2 }),
      type: u16,
      master: u32,
    },
    ...{ kind: fc.string(), slaveKind: fc.string(), flags: flags(linkFlags) },
    ...{ operState: fc.constantFrom(...operStates), carrierUpCount: u32, mtu: u32 },
    ...{ lower: u32, parentDevice: fc.string(), vnetHeader: fc.boolean() },
  },
  { requiredKeys: ["index", "name", "altNames", "type", "flags", "operState", "master"] },
);

const forEver = fc.constant(Number.POSITIVE_INFINITY);

const network: fc.Arbitrary<Network> = record({
  links: fc.array(link, { maxLength: 3 }).map((links) => new Map(links.map((one) => [one.index, one]))),
  addresses: fc.array(
    record(
      {
        ...{ ifIndex: u32, family, address, peer: address, prefixLength: u8, scope: u8 },
        ...{ flags: flags(addressFlags), created: u32, validLifetime: forEver, preferredLifetime: forEver },
      },
      {
        requiredKeys: [
          ...(["ifIndex", "family", "address", "prefixLength", "scope", "flags", "created"] as const),
          ...(["validLifetime", "preferredLifetime"] as const),
        ],
      },
    ),
    { maxLength: 3 },
  ),
  defaultRoutes: fc.array(
    record(
      {
        ...{
          family,
          destination: fc.option(address, { nil: undefined }),
          prefixLength: u8,
          table: u32,
          type: u8,
        },
        ...{ scope: u8, protocol: u8, metric: u32, source: address, nextHopId: u32 },
        hops: fc.array(
          record(
            { ifIndex: s32, gateway: address, weight: u16, dead: fc.constant<true>(true) },
            { requiredKeys: ["ifIndex", "weight"] },
          ),
          { maxLength: 2 },
        ),
      },
      {
        requiredKeys: [
          ...(["family", "destination", "prefixLength", "table", "type", "scope", "protocol"] as const),
          ...(["metric", "hops"] as const),
        ],
      },
    ),
    { maxLength: 2 },
  ),
  egress: fc.array(
    record(
      { family, ifIndex: u32, sharedWith: fc.array(u32, { maxLength: 2 }) },
      { requiredKeys: ["family", "ifIndex"] },
    ),
    { maxLength: 2 },
  ),
  formerNames: fc.array(fc.tuple(u32, fc.string()), { maxLength: 2 }).map((names) => new Map(names)),
});

const content = fc.oneof(
  network.map((network) => ({ network })),
  fc.array(connection, { maxLength: 3 }).map((connections) => ({ connections })),
  event.map((event) => ({ event })),
  fc.constant({ overrun: true } as const),
  fc.string().map((fault) => ({ fault })),
  fc.constant({ end: true } as const),
);

/** Items in the order of their time, which has microseconds. */
export const items: fc.Arbitrary<RecordedItem[]> = fc
  .array(fc.tuple(fc.nat(100_000_000), content), { maxLength: 8 })
  .map((all) => {
    let micros = 0;
    return all.map(([more, item]) => {
      micros += more;
      return { at: Math.round(micros) / 1000, ...item };
    });
  });
