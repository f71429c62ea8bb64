import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, Socket } from "node:net";
import { after, before, beforeEach, describe, it, type TestContext } from "node:test";
import { type Endpoint, endpointFlags, type MptcpEvent, MptcpPm } from "../../src/kernel/mptcp-pm.ts";
import { mptcpConnect, mptcpListen } from "../../src/kernel/native-sockets.ts";
import { KernelError } from "../../src/kernel/netlink/errors.ts";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { kernelIsOlderThan } from "../lab/vm.ts";

const { of } = endpointFlags;

describe("the kernel's path manager", { skip: requires() }, () => {
  let lab: Lab;
  let here: Host;
  let pm: MptcpPm;

  before(async () => {
    lab = await Lab.create();
    here = await lab.here();
    pm = await MptcpPm.open();
  });
  beforeEach(async () => {
    await pm.flushEndpoints();
    await pm.setLimits({ subflows: 2, addAddrAccepted: 0 });
  });
  after(async () => {
    pm.close();
    await lab.close();
  });

  it("adds endpoints, and lists and gets them as they were added", async () => {
    await pm.addEndpoint({ address: "10.0.0.1", flags: of("subflow", "backup"), id: 7, ifIndex: 1 });
    await pm.addEndpoint({ address: "::1", flags: of("signal"), port: 1234 });
    const first: Endpoint = {
      id: 7,
      address: "10.0.0.1",
      port: 0,
      flags: of("subflow", "backup"),
      ifIndex: 1,
    };
    const [one, two, ...others] = await pm.dumpEndpoints();
    assert.deepEqual(one, first);
    assert.ok(two);
    assert.deepEqual(two, { ...two, address: "::1", port: 1234, flags: of("signal"), ifIndex: 0 });
    assert.deepEqual(others, []);
    assert.deepEqual(await pm.getEndpoint(7), first);
    assert.equal(await pm.getEndpoint(99), undefined);
    assert.deepEqual(await here.endpoints(), [
      { id: 7, address: "10.0.0.1", dev: "lo", flags: ["subflow", "backup"] },
      { id: two.id, address: "::1", port: 1234, flags: ["signal"] },
    ]);
  });

  it("says why it adds nothing, in the kernel's words", async () => {
    const add = (flags: Endpoint["flags"], more: { port?: number; ifIndex?: number } = {}) =>
      pm.addEndpoint({ address: "10.0.0.1", flags, ...more });
    await add(of("subflow"));
    const code = kernelIsOlderThan("6.2") ? "EINVAL" : "EEXIST";
    await assert.rejects(add(of("subflow")), {
      code,
      message: new RegExp(`^cannot add endpoint 10\\.0\\.0\\.1: .*duplicate.* \\(${code}\\)$`),
    });
    await assert.rejects(add(of("signal", "fullmesh")), {
      code: "EINVAL",
      extendedAck: /signal and fullmesh/,
    });
    await assert.rejects(add(of("subflow"), { port: 99 }), {
      code: "EINVAL",
      message: /^cannot add endpoint 10\.0\.0\.1 port 99: flags must have signal .*\(EINVAL\)$/,
    });
  });

  it("says what the maximum is when the slots or the limits are exceeded", async () => {
    const overflow = async () => {
      for (let i = 1; i < 300; i++)
        await pm.addEndpoint({ address: `10.1.${i >> 8}.${i & 255}`, flags: of("subflow") });
    };
    await assert.rejects(overflow(), { name: "KernelError", retryable: false });
    await assert.rejects(pm.setLimits({ subflows: 1000, addAddrAccepted: 0 }), (error) => {
      assert.ok(error instanceof KernelError);
      // Older kernels tell neither the number nor the attribute.
      assert.match(error.extendedAck ?? "", /^limit greater than maximum( \(\d+\))?$/);
      assert.ok(error.attribute === undefined || error.attribute === "subflows");
      return true;
    });
  });

  it("sets and gets limits", async () => {
    await pm.setLimits({ subflows: 3, addAddrAccepted: 4 });
    assert.deepEqual(await pm.getLimits(), { subflows: 3, addAddrAccepted: 4 });
    assert.deepEqual(await here.limits(), { subflows: 3, addAddrAccepted: 4 });
  });

  it("changes flags in place, by id or by address", async () => {
    await pm.addEndpoint({ address: "10.0.0.1", flags: of("subflow"), id: 5 });
    await pm.addEndpoint({ address: "127.0.0.2", flags: of("signal"), port: 1234 });
    await pm.changeEndpoint({ id: 5, flags: of("subflow", "backup", "fullmesh") });
    await pm.changeEndpoint({ address: "127.0.0.2", port: 1234, flags: of("backup") });
    const flags = async () => (await pm.dumpEndpoints()).map((endpoint) => endpoint.flags.names);
    assert.deepEqual(await flags(), [
      ["subflow", "backup", "fullmesh"],
      ["signal", "backup"],
    ]);
    await pm.changeEndpoint({ id: 5, flags: of() });
    assert.deepEqual((await flags())[0], ["subflow"]);
    await assert.rejects(pm.changeEndpoint({ id: 9, flags: of("backup") }), { code: "EINVAL", errno: 22 });
  });

  it("deletes by id, and all at once", async () => {
    for (const i of [1, 2, 3]) await pm.addEndpoint({ address: `10.0.0.${i}`, flags: of("subflow"), id: i });
    await pm.deleteEndpoint({ id: 2 });
    assert.deepEqual(
      (await pm.dumpEndpoints()).map(({ id }) => id),
      [1, 3],
    );
    await assert.rejects(pm.deleteEndpoint({ id: 2 }), (error) => {
      assert.ok(error instanceof KernelError);
      assert.equal(error.message, "cannot delete endpoint id 2: address not found (EINVAL)");
      assert.ok(error.attribute === undefined || error.attribute === "address");
      return true;
    });
    await pm.flushEndpoints();
    assert.deepEqual(await pm.dumpEndpoints(), []);
  });

  it("keeps laminar, or drops it without a word where it is older than Linux 6.18", async () => {
    await pm.addEndpoint({ address: "10.0.0.1", flags: of("subflow", "laminar"), id: 1 });
    const names = (await pm.getEndpoint(1))?.flags.names;
    assert.deepEqual(names, names?.includes("laminar") ? ["subflow", "laminar"] : ["subflow"]);
  });

  it("takes many commands at once", async () => {
    await Promise.all(
      [1, 2, 3, 4, 5].map((id) => pm.addEndpoint({ address: `10.0.0.${id}`, flags: of("subflow"), id })),
    );
    const limits = Promise.all([1, 2, 3].map(() => pm.getLimits()));
    const dumps = await Promise.all([1, 2, 3].map(() => pm.dumpEndpoints()));
    for (const endpoints of dumps)
      assert.deepEqual(
        endpoints.map(({ id }) => id),
        [1, 2, 3, 4, 5],
      );
    assert.equal((await limits).length, 3);
  });

  it("tells of connections and subflows", async (t) => {
    await here.sysctl("net.mptcp.allow_join_initial_addr_port", 0);
    t.after(() => here.sysctl("net.mptcp.allow_join_initial_addr_port", 1));
    const events = listen(t, pm);
    const server = await serve(t);
    const client = await connect(t, server.port);
    const created = await events.next("created", ({ serverSide }) => !serverSide);
    assert.deepEqual(created, {
      ...created,
      family: 2,
      localAddress: "127.0.0.1",
      localPort: client.localPort,
      remoteAddress: "127.0.0.1",
      remotePort: server.port,
      denyJoinId0: true,
    });
    const accepted = await events.next("established", ({ serverSide }) => serverSide);
    assert.deepEqual([accepted.localPort, accepted.remotePort], [server.port, client.localPort]);
    client.destroy();
    await events.next("closed", ({ token }) => token === created.token);
  });

  it("tells of listeners", { skip: kernelIsOlderThan("6.2") && "is for Linux 6.2 and newer" }, async (t) => {
    const events = listen(t, pm);
    const server = await serve(t);
    const { port } = server;
    const listener = await events.next("listenerCreated", ({ localPort }) => localPort === port);
    const { event: _, ...expected } = { ...listener, family: 2, localAddress: "127.0.0.1", localPort: port };
    assert.deepEqual(listener, { event: "listenerCreated", ...expected });
    server.close();
    assert.deepEqual(await events.next("listenerClosed", ({ localPort }) => localPort === port), {
      event: "listenerClosed",
      ...expected,
    });
  });

  it("leaves connections to the userspace path manager: announce, create, change, destroy, withdraw", async (t) => {
    await here.sysctl("net.mptcp.pm_type", 1);
    t.after(() => here.sysctl("net.mptcp.pm_type", 0));
    const events = listen(t, pm);
    const server = await serve(t, "0.0.0.0");
    const client = await connect(t, server.port);
    const { token } = await events.next("established", ({ serverSide }) => !serverSide);
    const { token: serverToken } = await events.next("established", ({ serverSide }) => serverSide);

    const remote = { address: "127.0.0.1", port: server.port };
    await pm.createSubflow({ token, local: { address: "127.0.0.2", id: 3 }, remote });
    const joined = await events.next("subflowEstablished", (event) => event.token === token);
    assert.deepEqual(joined, {
      ...joined,
      localId: 3,
      remoteId: 0,
      localAddress: "127.0.0.2",
      remoteAddress: "127.0.0.1",
      remotePort: server.port,
      backup: false,
      ifIndex: 0,
    });
    const local = { address: "127.0.0.2", id: 3, port: joined.localPort };

    await pm.setSubflowFlags({ token, local, remote, flags: of("backup") });
    await events.next("subflowPriority", (event) => event.token === serverToken && event.backup);

    await pm.announce({ token, address: "127.0.0.3", id: 9 });
    const announced = await events.next("announced");
    const { family: _, ...rest } = announced;
    assert.deepEqual(rest, {
      event: "announced",
      token: serverToken,
      remoteId: 9,
      remoteAddress: "127.0.0.3",
      remotePort: client.localPort,
    });
    if (kernelIsOlderThan("6.10")) {
      await assert.rejects(pm.dumpEndpoints(token), { code: "EOPNOTSUPP" });
      await assert.rejects(pm.getEndpoint(9, token), { code: "EOPNOTSUPP" });
    } else {
      assert.deepEqual((await pm.dumpEndpoints(token)).map(({ id, address }) => [id, address]).sort(), [
        [3, "127.0.0.2"],
        [9, "127.0.0.3"],
      ]);
      assert.equal((await pm.getEndpoint(9, token))?.address, "127.0.0.3");
    }
    await pm.remove({ token, id: 9 });
    assert.deepEqual(await events.next("removed"), { event: "removed", token: serverToken, remoteId: 9 });

    await pm.destroySubflow({ token, local, remote });
    await events.next("subflowClosed", (event) => event.token === token && event.localId === 3);
    await assert.rejects(pm.destroySubflow({ token, local, remote }), {
      message: new RegExp(
        `^cannot destroy subflow 127.0.0.2 port ${local.port} to 127.0.0.1 port ${server.port} of connection [0-9a-f]{8}: `,
      ),
    });
    await assert.rejects(pm.announce({ token: 1, address: "127.0.0.4", id: 4 }), {
      message: "cannot announce 127.0.0.4 id 4 to connection 00000001: invalid token (EINVAL)",
      attribute: "token",
    });
  });

  it("opens a listener for a port, which needs the address to be there", async () => {
    const endpoint = { address: "10.0.0.1", flags: of("signal"), port: 1234 };
    await assert.rejects(pm.addEndpoint(endpoint), { code: "EADDRNOTAVAIL" });
  });

  it("is of no use once closed, and ends its subscriptions", async () => {
    const other = await MptcpPm.open();
    other.events({ event: () => {}, overrun: () => {}, error: assert.ifError });
    other.close();
    await assert.rejects(other.getLimits(), { code: "ECANCELED" });
  });
});

/** Collects events; next() takes the first of a name that fits, among those already seen or yet to come. */
function listen(t: TestContext, pm: MptcpPm) {
  const seen: MptcpEvent[] = [];
  const subscription = pm.events({
    event: (event) => seen.push(event),
    overrun: assert.fail,
    error: assert.ifError,
  });
  t.after(() => subscription.close());
  const is = <Name extends MptcpEvent["event"]>(
    event: MptcpEvent,
    name: Name,
  ): event is MptcpEvent & { event: Name } => event.event === name;
  return {
    next<Name extends MptcpEvent["event"]>(
      name: Name,
      fits: (event: MptcpEvent & { event: Name }) => boolean = () => true,
    ) {
      return waitFor(`the event ${name}`, () => {
        for (const event of seen) if (is(event, name) && fits(event)) return event;
        return undefined;
      }).then((event) => {
        if (event === undefined) throw new Error("unreachable");
        seen.splice(seen.indexOf(event), 1);
        return event;
      });
    },
  };
}

async function serve(t: TestContext, address = "127.0.0.1"): Promise<{ port: number; close(): void }> {
  const { fd, port } = mptcpListen({ address, port: 0 });
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.on("error", () => socket.destroy()));
    socket.pipe(socket);
  });
  server.listen({ fd });
  await once(server, "listening");
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  t.after(close);
  return { port, close };
}

/** A connection over which data went both ways, so that both ends have it established. */
async function connect(t: TestContext, port: number): Promise<Socket> {
  const socket = new Socket({ fd: await mptcpConnect({ address: "127.0.0.1", port }) });
  t.after(() => socket.destroy());
  socket.write("x");
  await once(socket, "data");
  return socket;
}
