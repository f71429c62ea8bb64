import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import type { Host } from "../../src/lab/kit/host.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { eventually } from "../../src/lab/kit/wait.ts";
import { families, ManagedHost, sides } from "../lab/managed-host.ts";

const { MPTCPD_ADDON: addon = join(checkout, "dist/addon.node") } = process.env;

for (const side of sides) {
  describe(`connections of the ${side} that are older than mptcpd`, {
    skip: requires({ tools: ["ss"] }),
    concurrency: 3,
  }, () => {
    for (const family of families)
      it(`are told and managed (${family.what})`, async (t) => {
        const managed = await ManagedHost.create(t, side);
        await managed.machine.host.sysctl("net.mptcp.pm_type", 1);
        const port = await managed.serverPeer.listen({ address: family.any, port: 0 });
        const socket = await managed.clientPeer.connect({ address: family.target, port });
        await managed.start();
        const [told] = await managed.puppet.told("connectionEstablished", ([{ local, remote }]) =>
          [local.port, remote.port].includes(socket.port),
        );
        const { token, serverSide, denyJoinId0, announcedIsComplete, announced } = told;
        assert.deepEqual(
          { serverSide, denyJoinId0, announcedIsComplete, announced, local: told.local.address },
          {
            ...{ serverSide: side === "server", denyJoinId0: "unknown" },
            ...{ announcedIsComplete: false, announced: [], local: family[side][0] },
          },
        );
        const made = await managed.puppet.with(
          token,
          (pm, connection, address) => pm.announce(connection, { address }),
          family[side][1],
        );
        assert.equal(made.id, 1);
        if (side === "server") return;
        await managed.puppet.with(
          token,
          (pm, connection, from) => pm.createSubflow(connection, { from }),
          family.client[1],
        );
        await eventually("the server has it, too", async () =>
          assert.deepEqual(await managed.serverPeer.subflowsAt(socket.port), [
            `${family.server[0]} > ${family.client[0]}`,
            `${family.server[0]} > ${family.client[1]}`,
          ]),
        );
      });

    it("are told with all that the checkpoint of a killed one knows", async (t) => {
      const managed = await ManagedHost.create(t, side);
      const { tokens } = await killWithOneAnnounced(managed);
      await managed.start();
      const known = await connectionsOf(managed);
      assert.deepEqual(
        known.map(({ token }) => token),
        tokens,
      );
      for (const { announced, ...facts } of known) {
        const { serverSide, denyJoinId0, announcedIsComplete, state } = facts;
        assert.deepEqual(
          { serverSide, denyJoinId0, announcedIsComplete, state },
          {
            ...{ serverSide: side === "server", denyJoinId0: true },
            // Some may have been announced to nobody meanwhile.
            ...{ announcedIsComplete: false, state: "established" },
          },
        );
        assert.deepEqual(
          announced.map(({ id, address }) => [id, address]),
          [[5, otherAddress(side)]],
        );
      }
    });

    it("are told as far as anybody knows, when the checkpoint was deleted meanwhile", async (t) => {
      const managed = await ManagedHost.create(t, side);
      const { tokens } = await killWithOneAnnounced(managed);
      const directory = managed.machine.runtimeDirectory;
      const [file, ...others] = readdirSync(directory).filter((name) => name.endsWith("connections"));
      assert.ok(file !== undefined && others.length === 0, readdirSync(directory).join());
      rmSync(join(directory, file));
      await managed.start();
      const known = await connectionsOf(managed);
      assert.deepEqual(
        known.map(({ token }) => token),
        tokens,
      );
      for (const { serverSide, denyJoinId0, announced, announcedIsComplete } of known)
        assert.deepEqual(
          { serverSide, denyJoinId0, announced, announcedIsComplete },
          {
            ...{ serverSide: side === "server", denyJoinId0: "unknown" },
            ...{ announced: [], announcedIsComplete: false },
          },
        );
    });

    it("are not told when they have ended meanwhile", async (t) => {
      const managed = await ManagedHost.started(t, side);
      const gone = await managed.connect(families[0]);
      const left = await managed.connect(families[0]);
      await managed.machine.daemon.kill();
      await managed.clientPeer.close(gone.socket);
      await eventually("its end", async () => assert.equal((await managed.here.connections()).length, 1));
      await managed.start();
      assert.deepEqual(
        (await connectionsOf(managed)).map(({ token }) => token),
        [left.token],
      );
      assert.deepEqual(managed.puppet.history(), ["newConnection", "connectionEstablished"]);
    });
  });
}

describe("the connections that a path manager knows are those that there are", {
  skip: requires({ tools: ["ss"] }),
  concurrency: 3,
}, () => {
  it("after the kernel had to drop events", async (t) => {
    const managed = await ManagedHost.create(t, "client");
    const { machine, puppet, clientPeer } = managed;
    await machine.start({ config: puppet.quietConfig });
    const port = await managed.serverPeer.listen({ address: "0.0.0.0", port: 0 });
    const connect = () => clientPeer.connect({ address: "10.0.1.1", port });
    const [kept, gone] = [await connect(), await connect()];
    const isKnown = (tokens: readonly number[]) =>
      machine.eventually("the connections", async () =>
        assert.deepEqual(await puppet.run((pm) => [...pm.connections].map(({ token }) => token)), tokens),
      );
    await isKnown([kept.token, gone.token]);
    machine.daemon.signal("SIGSTOP");
    do await storm(managed.client);
    while (!(await hasDropped(managed.client)));
    await clientPeer.close(gone);
    const fresh = await connect();
    machine.daemon.signal("SIGCONT");
    await machine.daemon.waitForLine(/^warning: the kernel dropped events of connections/);
    await isKnown([kept.token, fresh.token]);
    const last = await connect();
    await isKnown([kept.token, fresh.token, last.token]);
  });

  it("after subflows of a half-closed one have ended, of which the kernel does not tell", async (t) => {
    const managed = await ManagedHost.started(t, "server");
    const port = await managed.serverPeer.listen({ address: "0.0.0.0", port: 0, halfOpen: true });
    await managed.client.sysctl("net.mptcp.pm_type", 1);
    const socket = await managed.clientPeer.connect({ address: "10.0.1.1", port });
    const [{ token }] = await managed.puppet.told("connectionEstablished");
    await managed.clientPeer.join({ token: socket.token, from: "10.0.2.2", to: "10.0.1.1", port, id: 9 });
    await managed.puppet.told("newSubflow");
    await managed.clientPeer.end(socket);
    await eventually("CLOSE-WAIT", async () =>
      assert.equal((await managed.serverPeer.connectionAt(socket.port)).state, "close-wait"),
    );
    await managed.server.run("ss", "-K", "dst", "10.0.2.2");
    assert.equal((await managed.serverPeer.connectionAt(socket.port)).subflows.length, 1);
    await managed.puppet.told("subflowClosed", ([connection]) => connection.token === token, {
      deadlineMs: 15_000,
    });
    assert.equal(await managed.puppet.with(token, (_, { subflows }) => subflows.length), 1);
  });
});

/** An mptcpd that knew two connections, whose peer takes no joins at its first address and has announced another. */
async function killWithOneAnnounced(managed: ManagedHost): Promise<{ tokens: readonly number[] }> {
  const { other, side } = managed;
  await other.sysctl("net.mptcp.allow_join_initial_addr_port", 0);
  await other.ip(`mptcp endpoint add ${otherAddress(side)} id 5 signal`);
  await managed.start();
  const tokens: number[] = [];
  for (const family of [families[0], families[2]]) {
    const { token } = await managed.connect(family);
    await managed.puppet.told("newAddress", ([connection]) => connection.token === token);
    tokens.push(token);
  }
  await managed.machine.daemon.kill();
  return { tokens: tokens.toSorted((a, b) => a - b) };
}

/** The second address of the host without mptcpd. */
function otherAddress(side: string): string {
  return side === "client" ? "10.0.2.1" : "10.0.2.2";
}

async function connectionsOf({ puppet }: ManagedHost) {
  const all = await puppet.run((pm) => [...pm.connections]);
  return all.toSorted((a, b) => a.token - b.token);
}

/** Thousands of short connections. */
async function storm(host: Host): Promise<void> {
  const program = join(import.meta.dirname, "../lab/connection-storm.js");
  await host.run("env", `MPTCPD_ADDON=${addon}`, process.execPath, program, "3000");
}

/** Whether the kernel had to drop what it had for a socket that events come by (generic netlink). */
async function hasDropped(host: Host): Promise<boolean> {
  const [, ...rows] = (await host.run("cat", "/proc/net/netlink")).trim().split("\n");
  return rows.map((row) => row.trim().split(/\s+/)).some((row) => row[1] === "16" && Number(row[8]) > 0);
}
