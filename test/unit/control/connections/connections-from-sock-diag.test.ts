import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addressLoads, listedConnections } from "../../../../src/control/connections/from-sock-diag.ts";
import { subflowFlags } from "../../../../src/kernel/inet-diag.ts";
import type { ConnectionOutline, SubflowOutline, TcpState } from "../../../../src/kernel/sockets.ts";
import { found, foundWith, initialOutline, outline, subflowLine, subflowOutline } from "./builders.ts";

const everyState: readonly TcpState[] = [
  ...(["established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "close"] as const),
  ...(["close-wait", "last-ack", "listen", "closing"] as const),
];

/** The states in which it is found. */
function statesFound(outlineIn: (state: TcpState) => ConnectionOutline): TcpState[] {
  return everyState.filter((state) => [...listedConnections([outlineIn(state)])].length === 1);
}

describe("of the connections that sock_diag shows", () => {
  it("each is found with its token and both its ends", () => {
    const { token, local, remote } = found({ token: 0xffffffff });
    assert.deepEqual(
      { token, local, remote },
      {
        token: 0xffffffff,
        local: { address: "10.0.0.1", port: 40000 },
        remote: { address: "10.1.0.1", port: 80 },
      },
    );
    assert.deepEqual(
      [...listedConnections([outline({ token: 1 }), outline({ token: 2 })])].map((one) => one.token),
      [1, 2],
    );
  });

  it("those are none that became plain TCP", () => {
    assert.deepEqual([...listedConnections([outline({ fallback: true, subflows: [] })])], []);
  });

  it("those are none that their programs have closed, but those are that wait to be accepted", () => {
    assert.deepEqual(
      statesFound((state) => outline({ state, inode: 0 })),
      ["established", "close-wait"],
    );
  });

  it("those are all that a program holds, though it may have nothing more to say", () => {
    assert.deepEqual(
      statesFound((state) => outline({ state })),
      everyState,
    );
  });

  it("one is established when a subflow is fully so, or when none is left", () => {
    const half = { ...initialOutline(), flags: subflowFlags.of("capableLocal") };
    assert.equal(found({ subflows: [half] }).established, false);
    assert.equal(found({ subflows: [half, subflowOutline()] }).established, true);
    assert.equal(found({ subflows: [] }).established, true);
  });

  it("the side is the client's that has sent MP_CAPABLE, and not known without the initial subflow", () => {
    const side = (...flags: NonNullable<Parameters<typeof initialOutline>[0]>["flags"] & object) =>
      found({ subflows: [subflowOutline(), initialOutline({ flags })] }).serverSide;
    assert.equal(side("capableLocal", "capableRemote"), false);
    assert.equal(side("capableLocal"), false, "not answered yet");
    assert.equal(side("capableRemote"), true);
    assert.equal(side("joinRemote"), "unknown");
    assert.equal(found({ subflows: [] }).serverSide, "unknown");
  });
});

describe("of the subflows that sock_diag shows", () => {
  const statesShown = everyState.flatMap((state) =>
    foundWith(subflowOutline({ state })).subflows.flatMap((subflow) =>
      subflow.initial ? [] : [`${state}: ${subflow.state}`],
    ),
  );

  it("those are connecting whose handshake is under way, and those none that have sent their FIN", () => {
    assert.deepEqual(statesShown, [
      "established: established",
      "syn-sent: connecting",
      "syn-recv: connecting",
      "close-wait: established",
    ]);
  });

  it("each is found with all that is known of it", () => {
    const second = subflowOutline({
      localId: 5,
      remoteId: 6,
      ifIndex: 3,
      flags: ["joinRemote", "backupLocal"],
    });
    const third = subflowOutline({ socketFamily: 6, flags: ["joinLocal", "backupRemote"] });
    assert.deepEqual(foundWith(second, third).subflows.map(subflowLine), [
      "10.0.0.1:40000 id 0 > 10.1.0.1:80 id 0 established initial",
      "10.0.0.2:50000 id 5 > 10.1.0.1:80 id 6 established dev 3 backup here",
      "10.0.0.2:50000 id 1 > 10.1.0.1:80 id 0 established backup there mapped",
    ]);
  });

  it("those with IPv6 addresses are not mapped", () => {
    const local = { address: "2001:db8::1", port: 1 };
    const [subflow] = found({ subflows: [subflowOutline({ socketFamily: 6, local })] }).subflows;
    assert.equal(subflow?.mapped, false);
  });
});

const began = (address: string): SubflowOutline => ({ ...initialOutline(), local: { address, port: 1 } });
const joined = (address: string): SubflowOutline => subflowOutline({ local: { address, port: 2 } });
const loads = (...connections: ConnectionOutline[]) => Object.fromEntries(addressLoads(connections));

describe("what connections would lose with a local address", () => {
  it("is counted by connection: those with all subflows on it, and those that began on it", () => {
    const both = outline({ subflows: [began("10.0.0.1"), joined("10.0.1.1")] });
    const twice = outline({ subflows: [began("10.0.0.1"), joined("10.0.0.1")] });
    const later = outline({ subflows: [joined("10.0.1.1")] });
    assert.deepEqual(loads(both, twice, later, outline({ subflows: [] })), {
      "10.0.0.1": { only: 1, initial: 2 },
      "10.0.1.1": { only: 1, initial: 0 },
    });
  });

  it("does not count subflows that are not there yet", () => {
    const joining = { ...joined("10.0.1.1"), state: "syn-sent" as const };
    assert.deepEqual(loads(outline({ subflows: [began("10.0.0.1"), joining] })), {
      "10.0.0.1": { only: 1, initial: 1 },
    });
  });

  it("counts a connection whose program has closed it, until the peer has acknowledged everything", () => {
    const subflows = [{ ...began("10.0.0.1"), state: "fin-wait-1" as const }];
    const closing = outline({ subflows, inode: 0, state: "fin-wait-1" });
    assert.deepEqual(loads(closing), { "10.0.0.1": { only: 1, initial: 1 } });
    assert.deepEqual(loads({ ...closing, state: "fin-wait-2" }), {});
  });

  it("does not count connections that became plain TCP", () => {
    assert.deepEqual(loads(outline({ subflows: [began("10.0.0.1")], fallback: true })), {});
  });
});
