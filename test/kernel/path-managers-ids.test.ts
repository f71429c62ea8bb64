import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { families, type ManagedConnection, ManagedHost } from "../lab/managed-host.ts";
import { kernelIsOlderThan } from "../lab/vm.ts";

const third = { IPv4: "10.0.1.77", IPv6: "fd00:1::77", "IPv4 by IPv6 sockets": "10.0.1.77" } as const;

const needsLists = kernelIsOlderThan("6.10") && "is for Linux 6.10 and newer";

describe("the address ids of a path manager are the kernel's", { skip: requires() || needsLists }, () => {
  for (const family of families) {
    const [, own] = family.server;
    const other = third[family.what];
    const join = async (managed: ManagedHost, { token, socket, port }: ManagedConnection) => {
      const { token: theirs } = socket;
      await managed.clientPeer.join({ token: theirs, from: family.client[1], to: own, port, id: 7 });
      await managed.puppet.told("newSubflow", ([connection]) => connection.token === token);
    };

    describe(family.what, () => {
      it("when the peer has joined an address that was never announced, which then is", async (t) => {
        const managed = await serverWithActiveClient(t);
        const connection = await managed.connect(family);
        await join(managed, connection);
        const [known] = await managed.here.ids(connection.token);
        const { id } = await announce(managed, connection, own);
        assert.deepEqual(await managed.here.ids(connection.token), [known]);
        assert.equal(known, `${id} ${own}`);
      });

      it("when the peer has joined such an address, and another is announced", async (t) => {
        const managed = await serverWithActiveClient(t);
        await managed.server.ip(`addr add ${other}/${other.includes(":") ? 128 : 32} dev eth1`);
        const connection = await managed.connect(family);
        await join(managed, connection);
        const { id } = await announce(managed, connection, other);
        assert.deepEqual(await managed.here.ids(connection.token), [`1 ${own}`, `${id} ${other}`]);
      });

      it("when they were given by an mptcpd that was killed", async (t) => {
        const managed = await serverWithActiveClient(t);
        await managed.server.ip(`addr add ${other}/${other.includes(":") ? 128 : 32} dev eth1`);
        const connection = await managed.connect(family);
        const before = await announce(managed, connection, own);
        await managed.machine.daemon.kill();
        await managed.start();
        const after = await announce(managed, connection, other);
        assert.notEqual(after.id, before.id);
        assert.deepEqual(await managed.here.ids(connection.token), [
          `${before.id} ${own}`,
          `${after.id} ${other}`,
        ]);
        await announce(managed, connection, own);
        assert.equal((await managed.here.ids(connection.token)).length, 2);
      });

      it("when subflows of an address have come and gone", async (t) => {
        const managed = await serverWithActiveClient(t);
        const connection = await managed.connect(family);
        for (let round = 0; round < 3; round++) {
          const { id } = await announce(managed, connection, own);
          assert.deepEqual(await managed.here.ids(connection.token), [`${id} ${own}`]);
          await managed.puppet.with(connection.token, (pm, record, given) => pm.withdraw(record, given), own);
          assert.deepEqual(await managed.here.ids(connection.token), []);
        }
      });
    });
  }
});

/** A server with mptcpd; the client's connections are managed from outside of its kernel, too: by the tests. */
async function serverWithActiveClient(t: Parameters<typeof ManagedHost.started>[0]): Promise<ManagedHost> {
  const managed = await ManagedHost.started(t, "server");
  await managed.client.sysctl("net.mptcp.pm_type", 1);
  return managed;
}

function announce(
  { puppet }: ManagedHost,
  { token }: ManagedConnection,
  address: string,
): Promise<{ id: number }> {
  return puppet.with(token, (pm, record, given) => pm.announce(record, { address: given }), address);
}
