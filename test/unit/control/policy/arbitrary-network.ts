/** Random networks and configurations: few names and addresses, so that they meet. */
import fc from "fast-check";
import { defaultConfig, notifyFlags } from "../../../../src/control/config/config.ts";
import type { Network, NetworkModel } from "../../../../src/control/network/network.ts";
import { linkFlags } from "../../../../src/kernel/links.ts";
import { endpointFlags } from "../../../../src/kernel/mptcp-pm.ts";
import { type AddressSketch, type LinkSketch, networkOf, ruleOf } from "./world.ts";

const texts = [
  "10.0.0.1",
  "10.0.0.2",
  "192.168.7.1",
  "192.0.0.4",
  "2001:db8::1",
  "2001:db8::2",
  "fd00::1",
  "fe80::1",
];
const names = ["eth0", "eth1", "wlan0", "wg0"];

export const address: fc.Arbitrary<AddressSketch> = fc.record({
  address: fc.constantFrom(...texts),
  prefixLength: fc.constantFrom(24, 32),
  flags: fc.subarray(["deprecated", "tentative", "temporary"] as const, { maxLength: 1 }),
});

const sketch: fc.Arbitrary<LinkSketch> = fc.record(
  {
    kind: fc.constantFrom("wireguard", "ip6tnl", "veth", "bridge"),
    type: fc.constantFrom(1, 65534),
    flags: fc.constantFrom(["up", "running"] as const, ["up"] as const, [] as const),
    addresses: fc.array(address, { maxLength: 4 }),
    defaultRoute: fc.boolean(),
    // It may be an address of this host.
    gateway: fc.constantFrom("10.0.0.1", "10.0.0.254"),
  },
  { requiredKeys: ["addresses"] },
);

/** Every link is there; a random one of them is where the host's traffic leaves. */
export const network = fc
  .tuple(fc.array(sketch, { minLength: names.length, maxLength: names.length }), fc.constantFrom(...names))
  .map(([sketches, egress]) =>
    networkOf(Object.fromEntries(names.map((name, index) => [name, sketches[index] ?? {}])), [egress]),
  );

/** The indexes that links of a `network` have. */
export const ifIndex = fc.integer({ min: 2, max: names.length + 1 });

export const upOrDown = fc.constantFrom(linkFlags.of("up", "running"), linkFlags.of());

const rule = fc
  .record({
    name: fc.constantFrom("one", "two"),
    matchInterface: fc.constantFrom(undefined, ["eth0"], ["wg*"]),
    ignore: fc.boolean(),
    flags: fc.constantFrom(undefined, endpointFlags.of("signal")),
    priority: fc.integer({ min: -1, max: 1 }),
    port: fc.constantFrom(undefined, 0),
    max: fc.constantFrom(undefined, 1),
    bypassTunnel: fc.boolean(),
  })
  .map(ruleOf);

export const config = fc.tuple(fc.array(rule, { maxLength: 2 }), fc.boolean()).map(([paths, checks]) => ({
  ...defaultConfig,
  notifyFlags: notifyFlags.of(...(checks ? (["check_route"] as const) : [])),
  paths,
}));

/** Endpoints of ours and of others, some of addresses that are gone. */
export const current = fc.uniqueArray(
  fc.record({ address: fc.constantFrom(...texts), ifIndex, ours: fc.boolean() }),
  { selector: ({ address }) => address, maxLength: 4 },
);

const wish = fc.array(
  fc.record({
    address: fc.constantFrom(...texts),
    ifIndex,
    flags: fc.constant(endpointFlags.of("signal")),
    port: fc.constantFrom(0, 8080),
    priority: fc.integer({ min: -1, max: 1 }),
  }),
  { maxLength: 4 },
);

/** What two path managers want. */
export const wishes = fc.tuple(...["one", "two"].map((by) => wish.map((endpoints) => ({ by, endpoints }))));

/** The same network of objects that nobody has seen. */
export function unseen({ links, addresses, ...rest }: Network): Network {
  return {
    ...rest,
    links: new Map([...links].map(([index, link]) => [index, { ...link }])),
    addresses: addresses.map((one) => ({ ...one })),
  };
}

/** What happens to a network. */
export const change = fc.oneof(
  fc.record({ kind: fc.constant("none" as const) }),
  fc.record({ kind: fc.constant("link" as const), index: ifIndex, flags: upOrDown }),
  fc.record({ kind: fc.constant("unlink" as const), index: ifIndex }),
  fc.record({ kind: fc.constant("address" as const), index: ifIndex, sketch: address }),
  fc.record({ kind: fc.constant("removal" as const), place: fc.nat(9) }),
  fc.record({ kind: fc.constant("routing" as const), from: network }),
);

export type NetworkChange = typeof change extends fc.Arbitrary<infer One> ? One : never;

export function apply(model: NetworkModel, what: NetworkChange): void {
  const { links, addresses } = model.network;
  if (what.kind === "link" || what.kind === "unlink") {
    const link = links.get(what.index);
    if (link === undefined) return;
    if (what.kind === "unlink") model.apply({ change: "deleted", link });
    else model.apply({ change: "new", link: { ...link, flags: what.flags } });
  } else if (what.kind === "address") {
    const [made] = networkOf({ made: { addresses: [what.sketch] } }).addresses;
    if (made !== undefined) model.apply({ change: "new", address: { ...made, ifIndex: what.index } });
  } else if (what.kind === "removal") {
    const gone = addresses[what.place];
    if (gone !== undefined) model.apply({ change: "deleted", address: gone });
  } else if (what.kind === "routing") model.replaceRouting(what.from);
}
