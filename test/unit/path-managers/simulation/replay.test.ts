import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Entry } from "../../../../src/base/log/log.ts";
import { defaultConfig } from "../../../../src/control/config/config.ts";
import { subflowFlags } from "../../../../src/kernel/inet-diag.ts";
import { eventFlags } from "../../../../src/kernel/mptcp-pm-events.ts";
import type { ConnectionOutline } from "../../../../src/kernel/sockets.ts";
import { builtIn } from "../../../../src/path-managers/built-in/index.ts";
import {
  definePathManager,
  type Handlers,
  type PathManager,
  type PathManagerDefinition,
} from "../../../../src/path-managers/runtime/api.ts";
import { SimulatedNetwork } from "../../../../src/path-managers/simulation/network.ts";
import type { RecordedItem } from "../../../../src/path-managers/simulation/recording.ts";
import { Replay, type ReplayOptions } from "../../../../src/path-managers/simulation/replay.ts";
import { commandText, wantedText } from "../../../../src/programs/mptcpctl/io/replay-format.ts";

const token = 0xebe;
const first = { localAddress: "10.0.1.2", localPort: 4000, remoteAddress: "10.0.9.9", remotePort: 443 };
const second = { ...first, localAddress: "10.0.2.2", localPort: 5000 };

function opened(at: number, more: object = {}): RecordedItem {
  const common = {
    token,
    family: 2,
    ...first,
    flags: eventFlags.of(),
    serverSide: false,
    denyJoinId0: false,
    ...more,
  };
  return { at, event: { event: "established", ...common } };
}

type SubflowName = "subflowEstablished" | "subflowClosed" | "subflowPriority";

function subflow(at: number, event: SubflowName, more: object = {}): RecordedItem {
  const common = { token, family: 2, ...second, localId: 1, remoteId: 0, ifIndex: 3, backup: false, ...more };
  return { at, event: { event, ...common } };
}

const closed = (at: number): RecordedItem => ({ at, event: { event: "closed", token } });

/** eth1 has 10.0.1.2, eth2 10.0.2.2. */
function networkAt(at: number, change: (network: SimulatedNetwork) => void = () => undefined): RecordedItem {
  const host = new SimulatedNetwork();
  host.plug("eth1", { addresses: ["10.0.1.2"] });
  host.plug("eth2", { addresses: ["10.0.2.2"] });
  change(host);
  return { at, network: host.network };
}

function listed(at: number, subflows: readonly (typeof first)[], socketFamily: 4 | 6 = 4): RecordedItem {
  const ends = ({ localAddress, localPort, remoteAddress, remotePort }: typeof first) => ({
    local: { address: localAddress, port: localPort },
    remote: { address: remoteAddress, port: remotePort },
  });
  const outline: ConnectionOutline = {
    ...{ token, socketFamily, ...ends(first), state: "established", inode: 7, fallback: false },
    subflows: subflows.map((one) => ({
      ...{ ...ends(one), socketFamily, ifIndex: 0, remoteId: 0, state: "established" as const },
      localId: one.localAddress === first.localAddress ? 0 : 1,
      flags:
        one.localAddress === first.localAddress
          ? subflowFlags.of("capableLocal", "capableRemote", "fullyEstablished")
          : subflowFlags.of("joinLocal", "fullyEstablished"),
    })),
  };
  return { at, connections: [outline] };
}

/**
 * Runs a path manager in a recording; gives what it did, a line each with the time: commands, refusals, its own words.
 */
async function run(
  items: readonly RecordedItem[],
  plugin:
    | PathManagerDefinition
    | ((pm: PathManager, say: (text: string) => void) => Handlers | Promise<Handlers>),
  more: Partial<ReplayOptions> = {},
) {
  const lines: string[] = [];
  const log: Entry[] = [];
  const say = (text: string): void => void lines.push(`${Math.round(replay.now * 1000) / 1000} ${text}`);
  const nameOf = (index: number) => replay.network.links.get(index)?.name ?? `if${index}`;
  const definition =
    typeof plugin === "function"
      ? definePathManager({ name: "test", setup: (pm) => plugin(pm, say) })
      : plugin;
  const replay = new Replay({
    recording: { header: { time: "", kernel: "" }, items, isWhole: true },
    plugin: {
      definition,
      options:
        "options" in definition && definition.name === "fullmesh" ? { subflows: 8, announce: true } : {},
    },
    policy: defaultConfig,
    onCommand: (command, refusal) =>
      say(commandText(command, nameOf) + (refusal === undefined ? "" : ` # ${refusal}`)),
    onWanted: (endpoints) =>
      say(`wants ${endpoints.map((endpoint) => wantedText(endpoint, nameOf)).join(", ")}`),
    onLog: (entry) => void log.push(entry),
    ...more,
  });
  await replay.run();
  return { lines, log, replay };
}

/** Asks for a subflow from 10.0.2.2 when a connection is there, and tells what becomes of it. */
function asks(pm: PathManager, say: (text: string) => void, deadline?: number): Handlers {
  return {
    connectionEstablished: (connection) => {
      const options = { from: "10.0.2.2", ...(deadline !== undefined && { deadline }) };
      pm.createSubflow(connection, options).then(
        ({ local }) => say(`created, port ${local.port}`),
        (error) => say(`failed: ${error.code}`),
      );
    },
    newSubflow: (_, { local }) => say(`new subflow ${local.address} ${local.port}`),
    subflowClosed: (_, { local }, { code }) =>
      say(`closed subflow ${local.address} ${local.port} ${code ?? "-"}`),
    subflowPriority: (_, { backup }) => say(`backup ${backup}`),
    connectionClosed: () => say("closed"),
  };
}

const create = "subflow create token 00000ebe 10.0.2.2 id 1 dev eth2 to 10.0.9.9 port 443";

describe("a replay", () => {
  it("tells a path manager what was recorded, when it was", async () => {
    const items = [
      networkAt(0),
      listed(0, [first, second]),
      subflow(100.5, "subflowPriority", { backup: true }),
      subflow(2000, "subflowClosed", { error: 104 }),
      {
        at: 2500,
        event: { event: "announced", token, remoteId: 4, remoteAddress: "10.0.9.8", remotePort: 443 },
      } as const,
      closed(3000),
    ];
    const { lines } = await run(items, (_, say) => ({
      newLocalAddress: ({ address }) => say(`address ${address}`),
      newConnection: ({ remote, serverSide }) => say(`connection to ${remote.address} ${serverSide}`),
      newSubflow: (_, { local }) => say(`subflow ${local.address}`),
      subflowPriority: (_, { remoteBackup }) => say(`backup ${remoteBackup}`),
      subflowClosed: (_, { local }, { code }) => say(`lost ${local.address} ${code}`),
      newAddress: (_, { id, address }) => say(`announced ${id} ${address}`),
      connectionClosed: () => say("closed"),
    }));
    assert.deepEqual(lines, [
      "0 address 10.0.1.2",
      "0 address 10.0.2.2",
      "0 connection to 10.0.9.9 false",
      "0 subflow 10.0.2.2",
      "100.5 backup true",
      "2000 lost 10.0.2.2 ECONNRESET",
      "2500 announced 4 10.0.9.8",
      "3000 closed",
    ]);
  });

  it("answers for the peer where the recording does not: after a round trip, at a port that nobody has", async () => {
    const { lines } = await run([networkAt(0), opened(50), closed(1000)], asks);
    assert.deepEqual(lines, [
      `50 ${create}`,
      "70 new subflow 10.0.2.2 61000",
      "70 created, port 61000",
      "1000 closed",
    ]);
  });

  it("has the recorded subflow be the answer, once, at its time and port", async () => {
    const items = [networkAt(0), opened(50), subflow(900, "subflowEstablished"), closed(1000)];
    const { lines } = await run(items, asks);
    assert.deepEqual(lines, [
      `50 ${create}`,
      "900 new subflow 10.0.2.2 5000",
      "900 created, port 5000",
      "1000 closed",
    ]);
  });

  it("has a recorded refusal be the answer, though the kernel did not tell the peer's port", async () => {
    const items = [networkAt(0), opened(50), subflow(80, "subflowClosed", { error: 111, remotePort: 0 })];
    assert.deepEqual((await run(items, asks)).lines, [`50 ${create}`, "80 failed: ECONNREFUSED"]);
  });

  it("takes no recorded subflow for the answer that goes elsewhere, has another id, or comes much later", async () => {
    for (const more of [{ remoteAddress: "10.0.9.8" }, { remotePort: 444 }, { localId: 2 }, { at: 10_051 }]) {
      const { at = 900 } = "at" in more ? more : {};
      // An id is an address' own: another address has the other one.
      const localAddress = "localId" in more ? "10.0.3.2" : second.localAddress;
      const items = [networkAt(0), opened(50), subflow(at, "subflowEstablished", { localAddress, ...more })];
      const { lines } = await run(items, asks);
      assert.ok(lines.includes("70 created, port 61000"), `${JSON.stringify(more)}: ${lines}`);
      assert.ok(
        lines.some((line) => line.startsWith(`${at} new subflow ${localAddress} 5000`)),
        `${lines}`,
      );
    }
  });

  it("gives several that go the same way an answer each", async () => {
    const items = [
      networkAt(0),
      opened(0),
      subflow(100, "subflowEstablished", { localPort: 5001 }),
      subflow(200, "subflowEstablished", { localPort: 5002 }),
    ];
    const { lines } = await run(items, (pm, say) => ({
      connectionEstablished: (connection) => {
        for (const name of ["a", "b", "c"])
          pm.createSubflow(connection, { from: "10.0.2.2" }).then(({ local }) =>
            say(`${name} ${local.port}`),
          );
      },
    }));
    assert.deepEqual(
      lines.filter((line) => !line.includes("create")),
      ["20 a 61000", "100 b 5001", "200 c 5002"],
    );
  });

  it("takes for the answer only what is yet to come, and what nobody else was answered with", async () => {
    const asksAgain = (pm: PathManager, say: (text: string) => void): Handlers => ({
      connectionEstablished: (connection) => {
        for (const [start, deadline] of [
          [250, 50],
          [400, 5000],
        ] as const)
          pm.after(start, () =>
            pm.createSubflow(connection, { from: "10.0.2.2", deadline }).then(
              ({ local }) => say(`created, port ${local.port}`),
              (error) => say(`failed: ${error.code}`),
            ),
          );
      },
    });
    const items = [
      networkAt(0),
      opened(0),
      subflow(100, "subflowEstablished"),
      subflow(200, "subflowClosed"),
      subflow(900, "subflowEstablished", { localPort: 5002 }),
      closed(2000),
    ];
    assert.deepEqual((await run(items, asksAgain)).lines, [
      `250 ${create}`,
      "300 subflow destroy token 00000ebe 10.0.2.2 port 5002 to 10.0.9.9 port 443",
      "300 failed: ETIMEDOUT",
      `400 ${create}`,
      "420 created, port 61000",
    ]);
  });

  it("bears a recording that gives an address several ids", async () => {
    const early = [
      subflow(10, "subflowEstablished", { localPort: 1 }),
      subflow(20, "subflowClosed", { localPort: 1 }),
    ];
    const late = subflow(900, "subflowEstablished", { localId: 2 });
    const { lines } = await run([networkAt(0), opened(0), ...early, opened(50), late], (pm, say) => ({
      ...asks(pm, say),
      connectionEstablished: (connection) =>
        void pm.after(50, () => asks(pm, say).connectionEstablished?.(connection)),
    }));
    assert.deepEqual(lines.slice(2), [
      `50 ${create}`,
      ...["70 new subflow 10.0.2.2 61000", "70 created, port 61000", "900 new subflow 10.0.2.2 5000"],
    ]);
    const ids = [
      subflow(20_000, "subflowEstablished", { localAddress: "10.0.3.2", localId: 1 }),
      subflow(20_001, "subflowEstablished", { localId: 2 }),
      subflow(20_002, "subflowEstablished", { localId: 3, localPort: 1 }),
    ];
    assert.deepEqual((await run([networkAt(0), opened(0), ...ids], asks)).lines.slice(0, 4), [
      `0 ${create} # did not match address and id (EINVAL)`,
      `0 ${create.replace("id 1", "id 2")}`,
      ...["20 new subflow 10.0.2.2 61000", "20 created, port 61000"],
    ]);
  });

  it("lets no packet leave by a link that had no carrier, nor from an address that was not there", async () => {
    const cut = networkAt(0, (network) => network.setCarrier("eth2", false));
    const items = [cut, opened(50), closed(9000)];
    const { lines } = await run(items, (pm, say) => asks(pm, say, 500));
    assert.deepEqual(lines.slice(0, 3), [
      `50 ${create.replace(" dev eth2", "")}`,
      // It is not left to try for two minutes.
      "550 subflow destroy token 00000ebe 10.0.2.2 port 61000 to 10.0.9.9 port 443",
      "550 failed: ETIMEDOUT",
    ]);
    const gone = networkAt(0, (network) => network.unplug("eth2"));
    assert.deepEqual((await run([gone, opened(50), closed(60)], asks)).lines, [
      `50 ${create.replace(" dev eth2", "")} # connect error: -99 (EADDRNOTAVAIL)`,
      "50 failed: EADDRNOTAVAIL",
      "60 closed",
    ]);
  });

  it("refuses an address another id than it has in the recording, as the kernel does", async () => {
    const other = { localAddress: "10.0.3.2", localPort: 6000 };
    const items = [
      networkAt(0),
      opened(50),
      subflow(5000, "subflowEstablished", { ...other, localId: 1 }),
      subflow(6000, "subflowEstablished", { localId: 2, localPort: 7000 }),
    ];
    const { lines } = await run(items, asks);
    assert.deepEqual(lines, [
      `50 ${create} # did not match address and id (EINVAL)`,
      `50 ${create.replace("id 1", "id 2")}`,
      "5000 new subflow 10.0.3.2 6000",
      "6000 new subflow 10.0.2.2 7000",
      "6000 created, port 7000",
    ]);
  });

  it("tells nothing more of a subflow that the path manager has ended", async () => {
    const items = [
      networkAt(0),
      listed(0, [first, second]),
      subflow(100, "subflowPriority", { backup: true }),
      subflow(200, "subflowPriority", { backup: false }),
      { at: 300, overrun: true } as const,
      listed(300, [first, second]),
      subflow(400, "subflowClosed", { error: 104 }),
    ];
    const { lines } = await run(items, (pm, say) => ({
      ...asks(pm, say),
      connectionEstablished: undefined,
      subflowPriority: (connection, one) => {
        say(`backup ${one.backup}`);
        void pm.destroySubflow(connection, one);
      },
    }));
    assert.deepEqual(lines, [
      "0 new subflow 10.0.2.2 5000",
      "100 backup true",
      "100 subflow destroy token 00000ebe 10.0.2.2 port 5000 to 10.0.9.9 port 443",
      "100 closed subflow 10.0.2.2 5000 -",
    ]);
  });

  it("ends what the path manager has made with the connection, or with its address", async () => {
    const { lines } = await run([networkAt(0), opened(50), { at: 4000, end: true }], (pm, say) => ({
      ...asks(pm, say),
      newSubflow: (connection, { localId }) => {
        pm.after(100, () => pm.withdraw(connection, { id: localId }));
      },
    }));
    assert.deepEqual(lines.slice(1), [
      "70 created, port 61000",
      "170 withdraw token 00000ebe id 1",
      "170 subflow destroy token 00000ebe 10.0.2.2 port 61000 to 10.0.9.9 port 443",
      "170 closed subflow 10.0.2.2 61000 -",
    ]);
    const ended = await run([networkAt(0), opened(50), closed(60)], asks);
    assert.deepEqual(ended.lines, [`50 ${create}`, "60 closed", "60 failed: ECONNABORTED"]);
  });

  it("has the sockets read again where events were lost, and keeps what the path manager has made", async () => {
    const items = [
      networkAt(0),
      opened(50),
      { at: 1000, overrun: true } as const,
      listed(1000, [first, { ...second, localPort: 8000 }]),
      { at: 60_000, end: true } as const,
    ];
    const { lines, replay } = await run(items, asks);
    assert.deepEqual(lines, [
      `50 ${create}`,
      ...["70 new subflow 10.0.2.2 61000", "70 created, port 61000", "1000 new subflow 10.0.2.2 8000"],
    ]);
    assert.equal(replay.now, 60_000, "readings that come now and then find the same");
    // A connection that is not listed any more has ended meanwhile.
    const gone = [
      networkAt(0),
      opened(50),
      { at: 1000, overrun: true } as const,
      { at: 1000, connections: [] },
    ];
    const { lines: last } = await run([...gone, { at: 9000, end: true }], asks);
    assert.match(last.at(-1) ?? "", /^1\d\d\d closed$/);
  });

  it("keeps what the path manager has made of a subflow, where sockets are read again", async () => {
    const lists = [{ at: 1000, overrun: true } as const, listed(1000, [first, second])];
    const items = [networkAt(0), listed(0, [first, second]), ...lists, { at: 2000, end: true } as const];
    const { lines } = await run(items, (pm, say) => ({
      newSubflow: (connection, one) => pm.setBackup(connection, one, true),
      subflowPriority: (_, { localBackup }) => say(`backup by us: ${localBackup}`),
    }));
    const ends = "10.0.2.2 port 5000 to 10.0.9.9 port 443";
    // Were it lost, the list would tell a change.
    assert.deepEqual(lines, [`0 subflow change token 00000ebe ${ends} backup`]);
  });

  it("lets answers come though the recording has ended", async () => {
    const { lines } = await run([networkAt(0), opened(50)], asks);
    assert.equal(lines.at(-1), "70 created, port 61000");
  });

  it("knows connections of dual-stack sockets by their IPv4 addresses", async () => {
    const { lines } = await run([networkAt(0), listed(0, [first, second], 6), closed(100)], (pm, say) => ({
      newSubflow: async (connection, one) => {
        await pm.setBackup(connection, one, true);
        await pm.destroySubflow(connection, one);
        say("done");
      },
    }));
    const ends = "token 00000ebe ::ffff:10.0.2.2 port 5000 to ::ffff:10.0.9.9 port 443";
    assert.deepEqual(lines, [`0 subflow change ${ends} backup`, `0 subflow destroy ${ends}`, "0 done"]);
  });

  it("follows the network, and says which endpoints are wanted", async () => {
    const plugin = builtIn.get("addr_adv");
    assert.ok(plugin);
    const { lines } = await run(
      [
        networkAt(0),
        networkAt(500, (network) => network.unplug("eth2")),
        networkAt(700, (network) => network.unplug("eth2")),
      ],
      plugin,
    );
    assert.deepEqual(lines, [
      "0 wants 10.0.1.2 subflow dev eth1, 10.0.2.2 subflow dev eth2",
      "500 wants 10.0.1.2 subflow dev eth1",
    ]);
  });

  it("runs the path managers that are built in, the same way each time", async () => {
    const plugin = builtIn.get("fullmesh");
    assert.ok(plugin);
    const items = [networkAt(0), listed(0, [first]), closed(100), opened(200), closed(400)];
    const { lines, replay } = await run(items, plugin);
    assert.deepEqual(lines, [`0 ${create}`, `200 ${create}`]);
    assert.equal(replay.faults, 0);
    assert.deepEqual((await run(items, plugin)).lines, lines);
  });

  it("counts faults, and goes on", async () => {
    const { replay, log } = await run([networkAt(0), opened(10), closed(20)], () => ({
      connectionEstablished: () => {
        throw new TypeError("oops");
      },
      connectionClosed: async () => {
        throw new TypeError("again");
      },
    }));
    assert.equal(replay.faults, 2);
    assert.deepEqual(
      log.filter(({ level }) => level === "error").map(({ message }) => message.replace(/ \(at .*/, "")),
      [
        "test: connectionEstablished failed: TypeError: oops",
        "test: connectionClosed failed: TypeError: again",
      ],
    );
  });

  it("lets a path manager take its time to begin", async () => {
    const { lines } = await run([networkAt(0), opened(100), closed(200)], async (pm, say) => {
      await pm.sleep(30);
      say("ready");
      return { connectionEstablished: () => say("established") };
    });
    assert.deepEqual(lines, ["30 ready", "100 established"]);
  });

  it("waits for the pace that it is given", async () => {
    const times: number[] = [];
    const pace = async (at: number) => void times.push(at);
    await run([networkAt(0), opened(50), closed(90)], asks, { pace });
    assert.deepEqual(times, [20, 40, 50, 70, 90]);
  });

  it("is over at once where nothing was recorded", async () => {
    assert.deepEqual((await run([], asks)).lines, []);
  });
});
