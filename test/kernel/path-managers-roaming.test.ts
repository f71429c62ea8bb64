import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { slowHandler } from "../lab/machine.ts";
import { ManagedHost } from "../lab/managed-host.ts";

const ipv4Only = "[path v6]\nmatch-address=::/0\nignore=yes\n";

/** A connection of the client's under a built-in path manager, with a subflow on each of the two paths. */
async function connected(t: TestContext, core: string, more = ipv4Only) {
  const managed = await ManagedHost.create(t, "client");
  const { client, clientPeer, serverPeer, machine } = managed;
  await machine.start({ config: `[core]\n${core}\n${more}` });
  const port = await serverPeer.listen({ address: "0.0.0.0", port: 0 });
  const socket = await clientPeer.connect({ address: "10.0.1.1", port });
  const subflows = () => clientPeer.subflowsAt(socket.port);
  /** At both ends, as the client sees it. */
  const has = async (...wanted: readonly string[]) => {
    const text = wanted.join();
    await waitFor(text, subflows, { until: (now) => now.join() === text });
    await waitFor(`${text}, for the server`, () => serverPeer.subflowsAt(socket.port), {
      until: (now) =>
        now
          .map((one) => one.split(" > ").reverse().join(" > "))
          .sort()
          .join() === text,
    });
  };
  await has("10.0.1.2 > 10.0.1.1", "10.0.2.2 > 10.0.1.1");
  const isAlive = () => clientPeer.echo(socket);
  return { managed, client, machine, socket, has, isAlive };
}

describe("connections of a host whose network changes", { skip: requires(), concurrency: 2 }, () => {
  it("have one working subflow on an interface that changes its address, in either order: sspi", async (t) => {
    const { client, machine, has, isAlive } = await connected(t, "path-manager=sspi");
    await client.ip("addr del 10.0.2.2/24 dev eth2");
    await client.ip("addr add 10.0.2.22/24 dev eth2");
    await has("10.0.1.2 > 10.0.1.1", "10.0.2.22 > 10.0.1.1");
    await client.sysctl("net.ipv4.conf.eth2.promote_secondaries", 1);
    await client.ip("addr add 10.0.2.23/24 dev eth2");
    await client.ip("addr del 10.0.2.22/24 dev eth2");
    await has("10.0.1.2 > 10.0.1.1", "10.0.2.23 > 10.0.1.1");
    await isAlive();
    assert.deepEqual(machine.problems, []);
  });

  it("live on where the initial subflow's address is the one that changes", async (t) => {
    const { client, has, isAlive } = await connected(t, "path-manager=sspi");
    await client.ip("rule add from 10.0.1.22 table 1");
    await client.ip("addr del 10.0.1.2/24 dev eth1");
    await has("10.0.2.2 > 10.0.1.1");
    await client.ip("addr add 10.0.1.22/24 dev eth1");
    await client.ip("route add 10.0.1.0/24 dev eth1 table 1");
    await isAlive();
  });

  it("have a second path wherever they roam, and no more subflows than they may: fullmesh", async (t) => {
    const { client, has, isAlive } = await connected(
      t,
      "path-manager=fullmesh",
      `${ipv4Only}[plugin fullmesh]\nsubflows=2\n`,
    );
    // The server has room for eight, until it hears which of them are gone.
    for (let i = 2; i < 7; i++) {
      await client.ip(`addr del 10.0.2.${i}/24 dev eth2`);
      await client.ip(`addr add 10.0.2.${i + 1}/24 dev eth2`);
    }
    await has("10.0.1.2 > 10.0.1.1", "10.0.2.7 > 10.0.1.1");
    await isAlive();
  });

  for (const name of ["fullmesh", "addr_adv"])
    it(`leave nothing behind at the server when many addresses go at once: ${name}`, async (t) => {
      const { client, has, isAlive } = await connected(t, `path-manager=${name}`);
      const more = ["10.0.2.3", "10.0.2.4", "10.0.2.5", "10.0.2.6"];
      await client.ipBatch(more.map((address) => `addr add ${address}/24 dev eth2`));
      await has(...["10.0.1.2", "10.0.2.2", ...more].map((address) => `${address} > 10.0.1.1`));
      await client.ip("addr flush dev eth2");
      await has("10.0.1.2 > 10.0.1.1");
      await isAlive();
    });

  it("lose all endpoints but the last with mptcpd where that is wanted, as peers are told of one after another", async (t) => {
    const { client, machine, has, isAlive } = await connected(t, "path-manager=addr_adv\non-stop=remove");
    await client.ip("addr add 10.0.2.3/24 dev eth2");
    await has("10.0.1.2 > 10.0.1.1", "10.0.2.2 > 10.0.1.1", "10.0.2.3 > 10.0.1.1");
    await machine.stop();
    assert.deepEqual(await client.endpointAddresses(), ["10.0.1.2"], "the connection has no other subflow");
    await has("10.0.1.2 > 10.0.1.1");
    await isAlive();
  });

  it("leave nothing behind when the first link goes with all its addresses, which stand before any other: fullmesh", async (t) => {
    const { managed, client, has, isAlive } = await connected(t, "path-manager=fullmesh");
    const [first, second] = managed.paths;
    const more = ["10.0.1.3", "10.0.1.4"];
    for (const address of more) await client.ip(`-4 rule add from ${address} table 1`);
    await client.ipBatch(more.map((address) => `addr add ${address}/24 dev eth1`));
    const ofFirst = ["10.0.1.2", ...more].map((address) => `${address} > 10.0.1.1`);
    await has(...ofFirst, "10.0.2.2 > 10.0.1.1");
    await second.cut();
    await has(...ofFirst);
    await second.restore();
    await has(...ofFirst, "10.0.2.2 > 10.0.1.1");
    await first.cut();
    await has("10.0.2.2 > 10.0.1.1");
    await isAlive();
  });

  it("keep the last subflow though its address is gone, and go on when it is back", async (t) => {
    const { client, machine, has, isAlive } = await connected(t, "path-manager=fullmesh");
    await client.ip("link set eth2 down");
    await has("10.0.1.2 > 10.0.1.1");
    await client.ip("addr del 10.0.1.2/24 dev eth1");
    // What is said of the endpoint comes two seconds later, too.
    await machine.daemon.waitForLine(/endpoint \d+ 10\.0\.1\.2 .*deleted/);
    await client.ip("addr add 10.0.1.2/24 dev eth1");
    await client.ipBatch(["route add 10.0.1.0/24 dev eth1 table 1"]).catch(() => undefined);
    await has("10.0.1.2 > 10.0.1.1");
    await isAlive();
  });

  it("return to the preferred interface, though its default route comes later than its address: backup", async (t) => {
    const { managed, client, socket, has } = await connected(t, "path-manager=backup");
    const backups = async () => {
      const { subflows } = await managed.clientPeer.connectionAt(socket.port);
      return subflows
        .filter(({ state }) => state === "established")
        .map(({ local, flags }) => `${local.address}${flags.includes("backupLocal") ? " backup" : ""}`)
        .sort()
        .join();
    };
    const is = (wanted: string) => waitFor(wanted, backups, { until: (now) => now === wanted });
    await is("10.0.1.2,10.0.2.2 backup");
    await client.ip("link set eth1 down");
    await has("10.0.2.2 > 10.0.1.1");
    await client.ip("link set eth1 up");
    await client.ip("route add 10.0.1.0/24 dev eth1 table 1");
    await is("10.0.1.2 backup,10.0.2.2");
    await client.ip("route add default via 10.0.1.1 dev eth1 metric 10");
    await is("10.0.1.2,10.0.2.2 backup");
  });

  it("of IPv4 sockets are asked for no IPv6 subflows, whatever the server announces: fullmesh", async (t) => {
    const managed = await ManagedHost.create(t, "client");
    const { server, clientPeer, serverPeer, machine } = managed;
    for (const address of ["fd00:1::1", "fd00:2::1", "10.0.2.1"])
      await server.ip(`mptcp endpoint add ${address} signal`);
    await machine.start({ config: "[core]\npath-manager=fullmesh\n[plugin fullmesh]\nsubflows=4\n" });
    const port = await serverPeer.listen({ address: "0.0.0.0", port: 0 });
    const socket = await clientPeer.connect({ address: "10.0.1.1", port });
    await waitFor("the mesh", () => clientPeer.subflowsAt(socket.port), { until: (all) => all.length === 4 });
    assert.deepEqual(
      machine.daemon.lines.filter((line) => line.includes("fullmesh") && !slowHandler.test(line)),
      [],
    );
  });
});
