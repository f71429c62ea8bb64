import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Connection, ConnectionClosedError } from "../../../../src/control/connections/connection.ts";
import type { CreateSubflowOptions, PathManager } from "../../../../src/path-managers/runtime/api.ts";
import { logRefusal } from "../../../../src/path-managers/runtime/refusals.ts";
import type { SimulatedPeer } from "../../../../src/path-managers/simulation/peer.ts";
import { HostBench, recorder } from "./fakes.ts";

interface Scene {
  readonly bench: HostBench;
  readonly pm: PathManager;
  readonly peer: SimulatedPeer;
  readonly connection: Connection;
  /** Gives a command, and lets a second pass. */
  order<T>(command: Promise<T>): Promise<T>;
  /** Asks for a subflow; "from > to" of what came of it. */
  create(options: CreateSubflowOptions): Promise<string>;
}

async function scene(from = "10.0.1.2"): Promise<Scene> {
  const one = recorder();
  const bench = await new HostBench([one.definition]).start();
  const peer = bench.connect(from);
  await bench.settle();
  const [connection = assert.fail()] = one.pm.connections;
  const { pm } = one;
  const order = async <T>(command: Promise<T>): Promise<T> => {
    const [result] = await Promise.all([command, bench.settle(1000)]);
    return result;
  };
  const create = async (options: CreateSubflowOptions): Promise<string> => {
    const { local, remote } = await order(pm.createSubflow(connection, options));
    return `${local.address} > ${remote.address} ${remote.port}`;
  };
  return { bench, pm, peer, connection, order, create };
}

describe("createSubflow goes from", () => {
  it("an address in any spelling, a local address or an interface, and is bound to the interface", async () => {
    const { pm, connection, create } = await scene();
    const [, eth1 = assert.fail()] = pm.network.uplinks;
    const [address = assert.fail()] = eth1.addresses;
    const made = "10.0.2.2 > 10.0.9.9 443";
    for (const from of ["10.0.2.2", address, eth1]) assert.equal(await create({ from }), made);
    const bound = connection.subflows.slice(1).map(({ ifIndex, local }) => `${local.address} ${ifIndex}`);
    assert.deepEqual(bound, Array(3).fill(`10.0.2.2 ${eth1.index}`));
  });

  it("the address of an interface that reaches the peer: of the family of `to`, or of what is known", async () => {
    const { bench, pm, peer, create } = await scene("fd00:2::2");
    bench.change((network) => network.plug("eth2", { addresses: ["10.0.3.2", "fd00:3::2"] }));
    const [, , eth2 = assert.fail()] = pm.network.uplinks;
    assert.equal(await create({ from: eth2, to: "fd00:9::9" }), "fd00:3::2 > fd00:9::9 443");
    assert.equal(await create({ from: eth2, to: "10.0.9.9" }), "10.0.3.2 > 10.0.9.9 443");
    peer.announce(4, "fd00:9::9", 80);
    await bench.settle();
    assert.equal(await create({ from: eth2 }), "10.0.3.2 > 10.0.9.9 443", "as the initial subflow goes");
  });

  it("another family, where only an address of that was announced", async () => {
    const one = recorder();
    const bench = await new HostBench([one.definition]).start();
    const peer = bench.connect("fd00:2::2", { to: "fd00:9::9", denyJoinId0: true });
    peer.announce(3, "10.0.9.9", 80);
    await bench.settle();
    const [connection = assert.fail()] = one.pm.connections;
    const [, eth1 = assert.fail()] = one.pm.network.uplinks;
    const asked = one.pm.createSubflow(connection, { from: eth1 });
    const [subflow] = await Promise.all([asked, bench.settle()]);
    assert.equal(subflow.local.address, "10.0.2.2");
  });

  it("no interface without an address that fits", async () => {
    const { bench, pm, create } = await scene();
    bench.change((network) => network.plug("eth2", {}));
    const [eth0 = assert.fail(), , eth2 = assert.fail()] = pm.network.interfaces;
    const refused = (message: RegExp) => ({ name: "ConnectionError", code: "EADDRNOTAVAIL", message });
    await assert.rejects(create({ from: eth2 }), refused(/eth2 has no address that can be used/));
    await assert.rejects(create({ from: eth0, to: "fd00:9::9" }), refused(/eth0 has no IPv6 address/));
    await assert.rejects(create({ from: "fd00:2::2" }), {
      code: "EINVAL",
      message: /takes no IPv6 subflows/,
    });
  });

  it("nothing that is no address", async () => {
    const { create } = await scene();
    await assert.rejects(create({ from: "eth1" }), { code: "EINVAL", message: /"eth1" is no IP address/ });
    await assert.rejects(create({ from: "10.0.2.2", to: "server" }), { code: "EINVAL" });
  });
});

describe("createSubflow goes to", () => {
  it("the address of the initial subflow, one that is given, or one of those announced", async () => {
    const { bench, pm, peer, connection, create } = await scene();
    peer.announce(4, "10.0.9.10", 80);
    await bench.settle();
    const from = "10.0.2.2";
    assert.equal(await create({ from }), "10.0.2.2 > 10.0.9.9 443");
    assert.equal(await create({ from, to: "10.0.9.10" }), "10.0.2.2 > 10.0.9.10 443");
    const [to = assert.fail()] = connection.announced;
    assert.equal(await create({ from, to }), "10.0.2.2 > 10.0.9.10 80");
    assert.equal(await create({ from, to: { address: "10.0.9.10", port: 81 } }), "10.0.2.2 > 10.0.9.10 81");
    assert.equal(pm.connections.size, 1);
  });

  it("nobody, and waits no longer than its deadline", async () => {
    const { bench, pm, connection, order } = await scene();
    bench.kernel.answer = () => "silence";
    const before = bench.clock.now();
    const asked = pm.createSubflow(connection, { from: "10.0.2.2", deadline: 300 });
    const refused = assert.rejects(asked, { code: "ETIMEDOUT", message: /did not answer in 300 ms/ });
    await Promise.all([
      refused.then(() => assert.equal(bench.clock.now(), before + 300)),
      bench.settle(1000),
    ]);
    assert.equal(connection.subflows.length, 1);
    const endless = pm.createSubflow(connection, { from: "10.0.2.2", deadline: Number.POSITIVE_INFINITY });
    await assert.rejects(order(endless), RangeError);
  });
});

describe("other commands", () => {
  it("are for connections and subflows that are there", async () => {
    const { bench, pm, peer, connection, order } = await scene();
    const subflow = await order(pm.createSubflow(connection, { from: "10.0.2.2" }));
    await order(pm.destroySubflow(connection, subflow));
    await assert.rejects(order(pm.destroySubflow(connection, subflow)), { code: "ESRCH" });
    await assert.rejects(order(pm.setBackup(connection, subflow, true)), { code: "ESRCH" });
    peer.close();
    await bench.settle();
    for (const command of [
      pm.createSubflow(connection, { from: "10.0.2.2" }),
      pm.announce(connection, { address: "10.0.2.2" }),
      pm.withdraw(connection, { id: 1 }),
      pm.setBackup(connection, subflow, true),
    ])
      await assert.rejects(command, { code: "ENOTCONN", message: /the connection is closed/ });
  });

  it("say that the connection is closed, where the kernel knows it first, or it ends meanwhile", async () => {
    const { bench, pm, peer, connection, order } = await scene();
    const over = { name: "ConnectionClosedError", message: /: the connection (is|was) closed \(E/ };
    const isOver = (code: string) => (error: unknown) =>
      error instanceof ConnectionClosedError && error.code === code;
    const asked = pm.createSubflow(connection, { from: "10.0.2.2" });
    // The kernel has begun to connect.
    await bench.settle(10);
    peer.close();
    const late = [
      pm.createSubflow(connection, { from: "10.0.2.2" }),
      pm.announce(connection, { address: "10.0.2.2" }),
    ];
    assert.equal(connection.state, "established", "its end is not told yet");
    await order(
      Promise.all([
        assert.rejects(asked, over),
        assert.rejects(asked, isOver("ECONNABORTED")),
        ...late.map((command) => assert.rejects(command, isOver("ENOTCONN"))),
      ]),
    );
  });

  it("are no news in the log, if that is why they are refused", async () => {
    const one = recorder({
      handlers: {
        connectionEstablished(connection) {
          one.pm.announce(connection, { address: "10.0.2.2" }).catch(logRefusal(one.pm));
          return one.pm.createSubflow(connection, { from: "10.0.2.2" });
        },
      },
    });
    const bench = await new HostBench([one.definition]).start();
    bench.connect().close();
    await bench.settle();
    const refusals = bench.lines.filter((line) => line.includes("the connection is closed"));
    assert.deepEqual(
      refusals.map((line) => line.split(":")[0]),
      ["debug", "debug"],
    );
    assert.equal(bench.lines.length, 2);
    bench.kernel.answer = () => "refuse";
    bench.connect();
    await bench.settle();
    assert.match(bench.lines[2] ?? "", /^warning: recorder: connectionEstablished: .*ECONNREFUSED/);
  });

  it("refuse numbers, addresses and flags that are none, before anybody is asked", async () => {
    const { pm, connection, order } = await scene();
    const from = "10.0.2.2";
    const { endpoints, limits } = pm;
    // What JavaScript may give.
    const wrong = JSON.parse(
      '{ "flags": ["backups"], "id": "x", "backup": "no", "limits": { "subflows": 1 } }',
    );
    for (const [command, message] of [
      ...[70_000, -1, 1.5].map(
        (port) =>
          [
            () => pm.createSubflow(connection, { from, to: { address: "10.0.9.9", port } }),
            `cannot create subflow of connection 11010101: ${port} is no port: allowed are 0 to 65535 (EINVAL)`,
          ] as const,
      ),
      [() => pm.createSubflow(connection, { from, backup: wrong.backup }), /backup "no" is neither true nor/],
      [() => pm.createSubflow(connection, wrong.limits), /undefined is no IP address/],
      [
        () => pm.announce(connection, { address: from, port: 99_999 }),
        /: 99999 is no port: allowed are 0 to/,
      ],
      [() => pm.withdraw(connection, { id: 256 }), /: 256 is no address id: allowed are 0 to 255/],
      [() => pm.setBackup(connection, connection.subflows[0] ?? assert.fail(), wrong.nothing), /is not said/],
      [() => endpoints.add({ address: "bad" }), 'cannot add endpoint bad: "bad" is no IP address (EINVAL)'],
      [() => endpoints.add({ address: from, port: 65_536 }), /: 65536 is no port/],
      [() => endpoints.add({ address: from, id: 300 }), /: 300 is no address id/],
      [() => endpoints.add({ address: from, ifIndex: -1 }), /: -1 is no interface index/],
      [
        () => endpoints.add({ address: from, flags: wrong.flags }),
        /: "backups" is no flag: allowed are signal, /,
      ],
      [() => endpoints.change(1, wrong.flags), /change endpoint id 1: "backups" is no flag/],
      [() => endpoints.remove(wrong.id), /delete endpoint: "x" is no address id/],
      [() => endpoints.get(-1), /show endpoint: -1 is no address id/],
      [() => limits.set({ subflows: 0.5, addAddrAccepted: 0 }), /set limits: 0.5 is no limit/],
      [() => limits.set(wrong.limits), /set limits: both subflows and addAddrAccepted have to be given/],
    ] as const)
      await assert.rejects(order<unknown>(command()), { code: "EINVAL", name: "ConnectionError", message });
    assert.equal(connection.subflows.length, 1);
    assert.deepEqual(await order(endpoints.list()), []);
  });

  it("set a subflow to backup and back", async () => {
    const { pm, peer, connection, order } = await scene();
    const subflow = await order(pm.createSubflow(connection, { from: "10.0.2.2", backup: true }));
    assert.deepEqual([subflow.backup, peer.subflows[1]], [true, "10.0.2.2 > 10.0.9.9 backup"]);
    await order(pm.setBackup(connection, subflow, false));
    assert.deepEqual([subflow.backup, peer.subflows[1]], [false, "10.0.2.2 > 10.0.9.9"]);
  });

  it("announce an address, and withdraw it with every port, by its text, itself, what announce gave, or the id", async () => {
    const { pm, peer, connection, order } = await scene();
    const [, , local = assert.fail()] = pm.network.addresses;
    const announce = (port?: number) =>
      order(pm.announce(connection, { address: "fd00:2:0::2", ...(port !== undefined && { port }) }));
    for (const withdrawn of [
      () => "fd00:2::2",
      () => local,
      ({ id }: { readonly id: number }) => ({ id }),
      (announcement: Awaited<ReturnType<typeof announce>>) => announcement,
    ]) {
      const announcement = await announce();
      assert.deepEqual([announcement.address, announcement.port], ["fd00:2::2", 0]);
      assert.deepEqual(peer.announced, ["fd00:2::2"]);
      await order(pm.withdraw(connection, withdrawn(announcement)));
      assert.deepEqual(peer.announced, []);
    }
    await announce();
    await announce(8080);
    assert.deepEqual(peer.announced, ["fd00:2::2", "fd00:2::2 port 8080"]);
    await order(pm.withdraw(connection, "fd00:2::2"));
    assert.deepEqual(peer.announced, []);
    await assert.rejects(order(pm.withdraw(connection, "fd00:2::2")), { code: "ENOENT" });
  });

  it("make endpoints, bound to the interface of the address unless another is said", async () => {
    const { pm, order } = await scene();
    await order(pm.endpoints.add({ address: "10.0.2.2", flags: ["subflow"] }));
    await order(pm.endpoints.add({ address: "10.0.7.7", flags: ["signal"], id: 9 }));
    await order(pm.endpoints.add({ address: "10.0.1.2", flags: ["signal"], id: 8, port: 80, ifIndex: 0 }));
    await order(pm.endpoints.add({ address: "fd00:2::2", flags: ["subflow", "backup"], ifIndex: 0 }));
    await order(pm.endpoints.change(1, ["backup"]));
    const [, eth1 = assert.fail()] = pm.network.uplinks;
    const shown = (await order(pm.endpoints.list())).map(
      ({ id, address, port, flags, ifIndex }) => `${id} ${address} ${port} ${flags} ${ifIndex}`,
    );
    assert.deepEqual(shown, [
      `1 10.0.2.2 0 subflow,backup ${eth1.index}`,
      "8 10.0.1.2 80 signal 0",
      "9 10.0.7.7 0 signal 0",
      "10 fd00:2::2 0 subflow,backup 0",
    ]);
    assert.equal((await order(pm.endpoints.get(8)))?.port, 80);
    await order(pm.endpoints.remove(9));
    await order(pm.endpoints.flush());
    assert.deepEqual(await order(pm.endpoints.list()), []);
    await order(pm.limits.set({ subflows: 5, addAddrAccepted: 2 }));
    assert.deepEqual(await order(pm.limits.get()), { subflows: 5, addAddrAccepted: 2 });
  });

  it("are none for who was stopped, also not in what goes on of it", async () => {
    const { bench, pm, connection } = await scene();
    bench.runtime.host.stop();
    for (const command of [
      pm.createSubflow(connection, { from: "10.0.2.2" }),
      pm.announce(connection, { address: "10.0.2.2" }),
      pm.withdraw(connection, "10.0.2.2"),
      pm.endpoints.list(),
      pm.endpoints.add({ address: "10.0.2.2" }),
      pm.limits.get(),
      pm.sleep(1),
    ])
      await assert.rejects(command, /unloads its path managers/);
  });
});
