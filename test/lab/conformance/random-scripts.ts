import fc from "fast-check";
import type { EndpointFlag } from "../../../src/kernel/mptcp-pm.ts";
import { type ConnectionStep, type EndpointStep, loopback, type Opening, type Script } from "./script.ts";

/** Few of each kind, so that they meet. */
const addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "::ffff:127.0.0.2", "fd00::1", "10.9.9.9"];
const address = fc.constantFrom(...addresses);
const id = fc.constantFrom(0, 1, 2, 3, 254, 255);
const port = fc.constantFrom(81, 82);
const names: readonly EndpointFlag[] = ["signal", "subflow", "backup", "fullmesh", "implicit", "laminar"];
const flags = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<EndpointFlag[]>(["subflow"], ["signal"], ["subflow", "fullmesh"]) },
  fc.subarray([...names]),
);

const endpointStep: fc.Arbitrary<EndpointStep> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("add endpoint" as const),
      endpoint: fc.oneof(
        { weight: 3, arbitrary: fc.record({ address, id }, { requiredKeys: ["address"] }) },
        fc.record({ address, id, port }, { requiredKeys: ["address"] }),
      ),
      flags,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("change endpoint" as const),
      endpoint: fc.oneof(fc.record({ id }), fc.record({ address, port }, { requiredKeys: ["address"] })),
      flags,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record(
      { do: fc.constant("delete endpoint" as const), id, address },
      { requiredKeys: ["do", "id"] },
    ),
  },
  fc.record({ do: fc.constant("get endpoint" as const), id }),
  fc.record({ do: fc.constant("flush endpoints" as const) }),
  fc.record({
    do: fc.constant("set limits" as const),
    limits: fc.record({ subflows: fc.nat(9), addAddrAccepted: fc.nat(9) }),
  }),
);

const opening: fc.Arbitrary<Opening> = fc.record({
  side: fc.constantFrom("client" as const, "server" as const),
  sockets: fc.constantFrom("ipv4" as const, "dual-stack" as const, "ipv6" as const),
  pathManager: fc.constant("userspace" as const),
});
/** The peer's addresses have one id each: its own kernel sees to that. */
const peerAddress = fc.constantFrom(
  { address: "127.0.0.5", id: 5 },
  { address: "127.0.0.6", id: 6 },
  { address: "fd00::3", id: 7 },
);
const chosen = { from: fc.constantFrom("127.0.0.1", "127.0.0.2", "127.0.0.3", "fd00::1", "::1") };

const connectionStep: fc.Arbitrary<ConnectionStep> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record(
      {
        do: fc.constant("create" as const),
        local: fc.oneof(
          { weight: 4, arbitrary: fc.record({ address, id: fc.constantFrom(1, 2, 3) }) },
          fc.record({ address, id: fc.constantFrom(0, 1) }, { requiredKeys: ["address"] }),
        ),
        to: fc.constantFrom({ address: "::1" }, { address: "127.0.0.1" }),
        flags: fc.constantFrom<EndpointFlag[]>(["backup"], ["signal"], ["subflow"]),
      },
      { requiredKeys: ["do", "local"] },
    ),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("announce" as const),
      // An IPv6 address with a port does not fit in beside timestamps: Linux 6.18 never sends it.
      local: fc.oneof(
        fc.record({ address, id: fc.constantFrom(0, 1, 2, 3) }),
        fc.record({ address: fc.constantFrom("127.0.0.2", "10.9.9.9"), id: fc.constantFrom(1, 2), port }),
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("withdraw" as const), id: fc.constantFrom(0, 1, 2, 3) }),
  },
  {
    weight: 2,
    arbitrary: fc.record(
      { do: fc.constant("destroy" as const), ...chosen, spelled: fc.constant("mapped" as const) },
      { requiredKeys: ["do", "from"] },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record(
      {
        do: fc.constant("set backup" as const),
        backup: fc.boolean(),
        ...chosen,
        ports: fc.constant("none" as const),
      },
      { requiredKeys: ["do", "backup", "from"] },
    ),
  },
  fc.record({ do: fc.constant("get address" as const), id: fc.constantFrom(0, 1, 2) }),
  peerAddress.map(({ address, id }) => ({ do: "peer announces" as const, id, address })),
  peerAddress.map(({ id }) => ({ do: "peer withdraws" as const, id })),
  fc
    .tuple(peerAddress, fc.constantFrom("127.0.0.1", "127.0.0.2", "127.0.0.3"))
    .map(([{ address, id }, to]) => ({ do: "peer joins" as const, from: address, id, to })),
  fc.record({ do: fc.constant("peer sets backup" as const), backup: fc.boolean(), ...chosen }),
  fc.record({ do: fc.constant("peer closes" as const), ...chosen }),
);

/** Any script of endpoints, or of a connection. */
export const endpointScripts: fc.Arbitrary<Script> = fc.record({
  steps: fc.array(endpointStep, { minLength: 1, maxLength: 24, size: "max" }),
});
export const connectionScripts: fc.Arbitrary<Script> = fc
  .tuple(opening, fc.array(connectionStep, { minLength: 1, maxLength: 12, size: "max" }))
  .map(([opening, steps]) => possible(opening, [{ do: "establish" }, ...steps]));

/**
 * Leaves out what cannot be done with such a connection: a peer joins only where it is the client, which has a listener
 * to join, and from an address of that listener's family; it withdraws what it has announced or joined from. Also what
 * makes the kernel lose what the peer is to be told next (net/mptcp/pm.c, mptcp_pm_remove_addr: it repeats nothing),
 * which is while a subflow is refused, and when the initial one has ended.
 */
function possible(opening: Opening, steps: readonly ConnectionStep[]): Script {
  const known = new Set<number>();
  return {
    opening,
    steps: steps.filter((step) => {
      switch (step.do) {
        case "create":
          return opening.side === "client";
        case "withdraw":
          return step.id !== 0;
        case "destroy":
        case "peer closes":
          return step.from !== loopback(opening.sockets);
        case "peer announces":
          known.add(step.id);
          return true;
        case "peer withdraws":
          return known.delete(step.id);
        case "peer joins": {
          const isPossible =
            opening.side === "server" && !step.from.includes(":") && opening.sockets !== "ipv6";
          if (isPossible) known.add(step.id);
          return isPossible;
        }
        default:
          return true;
      }
    }),
  };
}
