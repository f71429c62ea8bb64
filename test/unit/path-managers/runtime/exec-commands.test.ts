import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PathManager } from "../../../../src/path-managers/runtime/api.ts";
import { carryOut } from "../../../../src/path-managers/runtime/exec-commands.ts";
import { connectionJson, networkJson } from "../../../../src/path-managers/runtime/json.ts";
import type { SimulatedPeer } from "../../../../src/path-managers/simulation/peer.ts";
import { HostBench, recorder } from "./fakes.ts";

const TOKEN = "11010101";

interface World {
  readonly pm: PathManager;
  readonly peer: SimulatedPeer;
  /** What a program is answered to a command; by then a second has passed. */
  ask(command: object): Promise<unknown>;
}

async function world(): Promise<World> {
  const one = recorder();
  const bench = await new HostBench([one.definition]).start();
  const peer = bench.connect();
  await bench.settle();
  const ask = async (command: object): Promise<unknown> => {
    const [answer] = await Promise.all([carryOut(one.pm, command), bench.settle(1000)]);
    return JSON.parse(JSON.stringify(answer ?? null));
  };
  return { pm: one.pm, peer, ask };
}

describe("a program may ask", () => {
  it("what connections there are, and what the network is", async () => {
    const { pm, ask } = await world();
    const [connection = assert.fail()] = pm.connections;
    assert.deepEqual(await ask({ command: "connections" }), [connectionJson(connection)]);
    assert.deepEqual(await ask({ command: "network" }), JSON.parse(JSON.stringify(networkJson(pm.network))));
  });

  it("for subflows, and to change and end them by their ends", async () => {
    const { peer, ask } = await world();
    const create = {
      command: "createSubflow",
      token: TOKEN,
      from: "10.0.2.2",
      to: { address: "10.0.9.9", port: 80 },
    };
    const made = await ask({ ...create, backup: true, deadline: 500 });
    assert.deepEqual(peer.subflows[1], "10.0.2.2 > 10.0.9.9 port 80 backup");
    assert.ok(typeof made === "object" && made !== null && "local" in made && "remote" in made);
    const { local, remote } = made;
    const subflow = { token: TOKEN, local, remote };
    assert.equal(await ask({ command: "setBackup", ...subflow, backup: false }), null);
    assert.deepEqual(peer.subflows[1], "10.0.2.2 > 10.0.9.9 port 80");
    assert.equal(await ask({ command: "destroySubflow", ...subflow }), null);
    assert.equal(peer.subflows.length, 1);
    await assert.rejects(ask({ command: "destroySubflow", ...subflow }), {
      code: "ESRCH",
      message:
        /cannot find subflow 10.0.2.2 port \d+ to 10.0.9.9 port 80: connection 11010101 has no such subflow/,
    });
  });

  it("to announce addresses and to withdraw them, by address or id", async () => {
    const { peer, ask } = await world();
    const announce = { command: "announce", token: `0x${TOKEN}`, address: "10.0.2.2" };
    assert.deepEqual(await ask({ ...announce, port: 8080, listen: true }), {
      address: "10.0.2.2",
      port: 8080,
      id: 1,
    });
    assert.deepEqual(await ask(announce), { address: "10.0.2.2", port: 0, id: 2 });
    assert.equal(await ask({ command: "withdraw", token: TOKEN, id: 1 }), null);
    assert.deepEqual(peer.announced, ["10.0.2.2"]);
    assert.equal(await ask({ command: "withdraw", token: TOKEN, address: "10.0.2.2" }), null);
    assert.deepEqual(peer.announced, []);
  });

  it("for endpoints and limits", async () => {
    const { ask } = await world();
    await ask({ command: "addEndpoint", address: "10.0.2.2", flags: ["subflow"], id: 7, ifIndex: 0 });
    await ask({ command: "changeEndpoint", id: 7, flags: ["backup"] });
    const endpoint = { id: 7, address: "10.0.2.2", port: 0, flags: ["subflow", "backup"], ifIndex: 0 };
    assert.deepEqual(await ask({ command: "endpoints" }), [endpoint]);
    await ask({ command: "removeEndpoint", id: 7 });
    await ask({ command: "addEndpoint", address: "10.0.2.2", flags: ["signal"], port: 80 });
    await ask({ command: "flushEndpoints" });
    assert.deepEqual(await ask({ command: "endpoints" }), []);
    await ask({ command: "setLimits", subflows: 4, addAddrAccepted: 1 });
    assert.deepEqual(await ask({ command: "limits" }), { subflows: 4, addAddrAccepted: 1 });
  });
});

describe("a program is told what is wrong with", () => {
  const wrong: readonly [string, unknown, RegExp][] = [
    ["no command", {}, /no command is named: "command" has to be one of connections, network, createSubflow/],
    ["an unknown one", { command: "toString" }, /has to be one of/],
    ["a line that is no object", "connections", /has to be one of/],
    ["a missing key", { command: "createSubflow", token: TOKEN }, /^from: /],
    [
      "a token",
      { command: "createSubflow", token: "xyz", from: "10.0.2.2" },
      /^token: has to be 8 hexadecimal digits/,
    ],
    ["a token that is a number", { command: "withdraw", token: 5, id: 1 }, /^token: /],
    ["a port", { command: "announce", token: TOKEN, address: "10.0.2.2", port: 70000 }, /^port: /],
    [
      "a nested port",
      { command: "createSubflow", token: TOKEN, from: "10.0.2.2", to: { address: "x", port: -1 } },
      /^to.port: /,
    ],
    ["flags", { command: "addEndpoint", address: "10.0.2.2", flags: ["sublow"] }, /^flags.0: /],
    [
      "neither address nor id",
      { command: "withdraw", token: TOKEN },
      /^the command: takes an id or an address/,
    ],
  ];
  for (const [what, command, message] of wrong)
    it(what, async () => {
      const { pm } = await world();
      await assert.rejects(carryOut(pm, command), { name: "CommandLineError", code: "EINVAL", message });
    });

  it("a connection that is not there, and an address that is none", async () => {
    const { ask } = await world();
    await assert.rejects(ask({ command: "createSubflow", token: "1", from: "10.0.2.2" }), {
      code: "ENOTCONN",
      message: /cannot find connection 00000001/,
    });
    await assert.rejects(ask({ command: "createSubflow", token: TOKEN, from: "eth0" }), { code: "EINVAL" });
  });
});
