import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KernelError } from "../../../../src/kernel/netlink/errors.ts";
import { AF_INET6 } from "../../../../src/kernel/socket-numbers.ts";
import { announced, closed, ofSubflow } from "./builders.ts";
import { refusal } from "./command-journal.ts";
import { CommandsWorld, nothingPending } from "./commands-world.ts";

const from = { address: "10.0.0.2" };
const line = "10.0.0.2:50000 id 1 > 10.1.0.1:80 id 0 established";

/** Nothing is left of what was asked for. */
function assertNothingLeft(world: CommandsWorld): void {
  assert.deepEqual(world.others(), []);
  assert.deepEqual(world.pending(), nothingPending);
}

describe("creating a subflow", () => {
  it("gives it when it is established, whether the kernel answers before its event or after it", async () => {
    for (const isBefore of [true, false]) {
      const world = new CommandsWorld();
      const joined = () => world.emit(ofSubflow("subflowEstablished"));
      if (!isBefore) world.kernel.beforeCommand = joined;
      const creating = world.subflows.create(world.connection, { from, signal: world.asking.signal });
      if (isBefore) setImmediate(joined);
      const subflow = await creating;
      assert.equal(subflow, world.connection.subflows[1]);
      assert.deepEqual(world.others(), [line]);
      assert.deepEqual(world.told, ["newSubflow 1: 10.0.0.2:50000 > 10.1.0.1:80"]);
      assert.deepEqual(world.pending(), nothingPending);
    }
  });

  it("asks the kernel for what it was asked for", async () => {
    const world = new CommandsWorld();
    const to = { address: "10.1.0.2", port: 443 };
    const creating = world.subflows.create(world.connection, {
      ...{ from: { ...from, ifIndex: 3 }, to, backup: true },
    });
    const asked = "10.0.0.2:0 id 1 > 10.1.0.2:443 id 0 connecting dev 3 backup here";
    assert.deepEqual(world.others(), [asked], "it is there before an event tells of it");
    world.emit(ofSubflow("subflowEstablished", { remoteAddress: "10.1.0.2", remotePort: 443, ifIndex: 3 }));
    assert.equal((await creating).backup, true);
    assert.deepEqual(world.kernel.commands(), ["create 10.0.0.2 > 10.1.0.2:443 id 1 dev 3 backup"]);
    assert.equal(world.connection.pathManager, "userspace");
  });

  it("settles each of several that are alike", async () => {
    const world = new CommandsWorld();
    const creating = [1, 2, 3].map(() => world.subflows.create(world.connection, { from }));
    const outcomes = Promise.allSettled(creating);
    for (const localPort of [1, 2]) world.emit(ofSubflow("subflowEstablished", { localPort }));
    world.emit(ofSubflow("subflowClosed", { localPort: 3, remotePort: 0, error: 111 }));
    assert.deepEqual(
      (await outcomes).map(({ status }) => status),
      ["fulfilled", "fulfilled", "rejected"],
    );
    assert.equal(world.others().length, 2);
    assert.deepEqual(world.pending(), nothingPending);
  });

  it("uses another id where the kernel knows the address by that", async () => {
    const world = new CommandsWorld();
    world.kernel.list = [{ address: "10.0.0.2", port: 0, id: 5 }];
    const creating = world.subflows.create(world.connection, { from });
    setImmediate(() => world.emit(ofSubflow("subflowEstablished", { localId: 5 })));
    assert.equal((await creating).localId, 5);
    assert.deepEqual(world.others(), ["10.0.0.2:50000 id 5 > 10.1.0.1:80 id 0 established"]);
    assert.deepEqual(world.pending(), nothingPending);
  });
});

describe("a subflow to nowhere in particular", () => {
  async function target(world: CommandsWorld, address: string): Promise<string | undefined> {
    const creating = world.subflows.create(world.connection, { from: { address } });
    const [created] = world.kernel.commands();
    world.emit(closed());
    await assert.rejects(creating);
    return created?.replace(/^create \S+ > (\S+) .*$/, "$1");
  }

  it("goes where the initial one goes", async () => {
    const world = new CommandsWorld();
    world.emit(announced(3, "10.1.0.2"));
    assert.equal(await target(world, "10.0.0.2"), "10.1.0.1:80");
  });

  it("goes to the first announced address where the peer takes none to the initial one", async () => {
    const world = new CommandsWorld({ denyJoinId0: true });
    world.emit(announced(3, "2001:db8::2"), announced(4, "10.1.0.2", 81), announced(5, "10.1.0.3"));
    assert.equal(await target(world, "10.0.0.2"), "10.1.0.2:81");
  });

  it("goes to an address of its own family", async () => {
    const world = new CommandsWorld({ family: AF_INET6 });
    world.emit(announced(3, "10.1.0.2"), announced(4, "2001:db8::2", 443));
    assert.equal(await target(world, "2001:db8::1"), "[2001:db8::2]:443");
    const ipv6 = new CommandsWorld({
      ...{ family: AF_INET6, localAddress: "2001:db8::1", remoteAddress: "2001:db8::2" },
    });
    ipv6.emit(announced(3, "10.1.0.2", 81));
    assert.equal(await target(ipv6, "10.0.0.2"), "10.1.0.2:81");
  });

  it("is not asked for where the peer has no such address, and the words say why", async () => {
    const failing = async (world: CommandsWorld, address: string, message: string) => {
      const creating = world.subflows.create(world.connection, { from: { address } });
      await assert.rejects(creating, { code: "EADDRNOTAVAIL", message });
      assert.deepEqual(world.kernel.commands(), []);
      assertNothingLeft(world);
    };
    await failing(
      new CommandsWorld({ family: AF_INET6 }),
      "2001:db8::1",
      "cannot create subflow from 2001:db8::1 of connection 00000001: no IPv6 address of the peer is known (EADDRNOTAVAIL)",
    );
    await failing(
      new CommandsWorld({ denyJoinId0: true }),
      "10.0.0.2",
      "cannot create subflow from 10.0.0.2 of connection 00000001: the peer takes no subflows to its first address, and no IPv4 address of the peer is known (EADDRNOTAVAIL)",
    );
  });

  it("has to be of a family that the connection's socket takes, which is known or learned", async () => {
    const ipv4 = new CommandsWorld();
    assert.deepEqual(ipv4.connection.families, [4]);
    ipv4.emit(announced(3, "2001:db8::2"));
    await assert.rejects(ipv4.subflows.create(ipv4.connection, { from: { address: "2001:db8::1" } }), {
      code: "EINVAL",
      message:
        "cannot create subflow from 2001:db8::1 of connection 00000001: its socket takes no IPv6 subflows (EINVAL)",
    });
    assert.deepEqual(ipv4.kernel.commands(), []);
    const ipv6 = new CommandsWorld({
      ...{ family: AF_INET6, localAddress: "2001:db8::1", remoteAddress: "2001:db8::2" },
    });
    assert.deepEqual(ipv6.connection.families, [4, 6]);
    ipv6.emit(announced(3, "10.1.0.2"));
    ipv6.kernel.beforeCommand = () => Promise.reject(refusal("create it", "families mismatch"));
    await assert.rejects(ipv6.subflows.create(ipv6.connection, { from, to: { address: "2001:db8::2" } }));
    assert.deepEqual(ipv6.connection.families, [4, 6], "of two families no socket takes one");
    await assert.rejects(ipv6.subflows.create(ipv6.connection, { from }), /families mismatch/);
    assert.deepEqual(ipv6.connection.families, [6], "it is for IPv6 only");
  });

  it("that has an address to go to and no port goes to the port of the initial one", async () => {
    const world = new CommandsWorld({ denyJoinId0: true });
    const creating = world.subflows.create(world.connection, { from, to: { address: "10.1.0.1" } });
    assert.deepEqual(world.kernel.commands(), ["create 10.0.0.2 > 10.1.0.1:80 id 1"]);
    world.emit(ofSubflow("subflowEstablished"));
    await creating;
  });
});

describe("a subflow that cannot be created", () => {
  it("leaves nothing behind when the kernel refuses, also not its id", async () => {
    const world = new CommandsWorld();
    const { signal } = world.asking;
    const error = refusal("create it", "families mismatch");
    world.kernel.beforeCommand = () => Promise.reject(error);
    const creating = world.subflows.create(world.connection, { from, signal });
    await assert.rejects(creating, (thrown) => thrown === error);
    assertNothingLeft(world);
    assert.equal(world.ids.of(world.connection).find("10.0.0.2"), undefined);
    assert.deepEqual(world.told, []);
  });

  it("fails as the peer refuses, which nobody else hears", async () => {
    for (const [reason, code, words] of [
      [{ error: 111 }, "ECONNREFUSED", /the peer refuses \(ECONNREFUSED\)/],
      [{ error: 104, resetReason: 3 }, "ECONNRESET", /administratively prohibited/],
      [{ error: 113, remotePort: 0 }, "EHOSTUNREACH", /closed before it was established/],
    ] as const) {
      const world = new CommandsWorld();
      const creating = world.subflows.create(world.connection, { from, signal: world.asking.signal });
      setImmediate(() => world.emit(ofSubflow("subflowClosed", reason)));
      await assert.rejects(creating, (thrown) => {
        assert.ok(thrown instanceof Error && "code" in thrown && !(thrown instanceof KernelError));
        assert.equal(thrown.code, code);
        assert.match(thrown.message, words);
        const what = "cannot create subflow 10.0.0.2 to 10.1.0.1 port 80 of connection 00000001: ";
        assert.ok(thrown.message.startsWith(what), thrown.message);
        return true;
      });
      assertNothingLeft(world);
      assert.deepEqual(world.told, []);
      assert.equal(world.sockets.dumps, 0, "there is nothing to look for");
    }
  });

  it("fails when its connection is closed, before or after the kernel has answered", async () => {
    for (const isBefore of [true, false]) {
      const world = new CommandsWorld();
      if (isBefore) world.kernel.afterCommand = () => world.emit(closed());
      const creating = world.subflows.create(world.connection, { from, signal: world.asking.signal });
      if (!isBefore) setImmediate(() => world.emit(closed()));
      await assert.rejects(creating, { code: "ECONNABORTED" });
      assert.deepEqual(world.told, ["connectionClosed 1"]);
      assert.deepEqual(world.connection.subflows, []);
      assert.deepEqual(world.pending(), nothingPending);
      assert.deepEqual(world.sockets.dumps, 0);
    }
  });

  it("is not asked for at all by who has given up already", async () => {
    const world = new CommandsWorld();
    const reason = new Error("enough");
    world.asking.abort(reason);
    const creating = world.subflows.create(world.connection, { from, signal: world.asking.signal });
    await assert.rejects(creating, (thrown) => thrown === reason);
    assert.deepEqual(world.kernel.commands(), []);
    assertNothingLeft(world);
  });
});
