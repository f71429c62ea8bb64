import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { families, ManagedHost, sides } from "../lab/managed-host.ts";
import { kernelIsOlderThan } from "../lab/vm.ts";

for (const side of sides) {
  describe(`a path manager of the ${side} is told`, { skip: requires() }, () => {
    const otherSide = side === "client" ? "server" : "client";
    let managed: ManagedHost;
    before(async () => {
      managed = await ManagedHost.started(undefined, side);
    });
    beforeEach(async () => {
      await managed.other.ip("mptcp endpoint flush");
      await managed.other.sysctl("net.mptcp.pm_type", 0);
      await managed.other.sysctl("net.mptcp.allow_join_initial_addr_port", 1);
    });
    after(() => managed.machine.lab.close());

    for (const family of families) {
      const own = family[side];
      const theirs = family[otherSide];

      describe(family.what, () => {
        it("of a connection: new, established, closed, and who made it", async () => {
          const { token, socket, port } = await managed.connect(family);
          await managed.clientPeer.close(socket);
          await managed.puppet.told("connectionClosed", ([connection]) => connection.token === token);
          assert.deepEqual(managed.puppet.history(token), [
            ...["newConnection", "connectionEstablished"],
            "connectionClosed",
          ]);
          const [told] = await managed.puppet.told(
            "newConnection",
            ([connection]) => connection.token === token,
          );
          const ends = [
            { address: family.client[0], port: socket.port },
            { address: family.server[0], port },
          ];
          const [local, remote] = side === "client" ? ends : ends.toReversed();
          const { serverSide, denyJoinId0, announced, announcedIsComplete } = told;
          assert.deepEqual([told.local, told.remote], [local, remote]);
          assert.deepEqual(
            { serverSide, denyJoinId0, announced, announcedIsComplete },
            {
              ...{ serverSide: side === "server", denyJoinId0: false },
              ...{ announced: [], announcedIsComplete: true },
            },
          );
        });

        it("that the peer takes no subflows to its first address", async () => {
          await managed.other.sysctl("net.mptcp.allow_join_initial_addr_port", 0);
          const { token } = await managed.connect(family);
          const [{ denyJoinId0 }] = await managed.puppet.told(
            "connectionEstablished",
            ([connection]) => connection.token === token,
          );
          assert.equal(denyJoinId0, true);
          const attempt = managed.puppet.with(
            token,
            (pm, connection, from) => pm.createSubflow(connection, { from }),
            own[1],
          );
          await assert.rejects(attempt, { code: "EADDRNOTAVAIL" });
        });

        it("of addresses that the peer announces and withdraws", async () => {
          await managed.other.ip(`mptcp endpoint add ${theirs[1]} id 5 signal`);
          const { token } = await managed.connect(family);
          const [{ announced }, address] = await managed.puppet.told(
            "newAddress",
            ([connection]) => connection.token === token,
          );
          const [{ remote }] = await managed.puppet.told(
            "newConnection",
            ([connection]) => connection.token === token,
          );
          const expected = { id: 5, address: theirs[1], port: remote.port };
          assert.deepEqual(address, expected);
          assert.deepEqual(announced, [expected]);
          await managed.other.ip("mptcp endpoint delete id 5");
          const [{ announced: left }, removed] = await managed.puppet.told(
            "addressRemoved",
            ([connection]) => connection.token === token,
          );
          assert.deepEqual(removed, expected);
          assert.deepEqual(left, []);
        });

        for (const backup of [false, true])
          it(`of subflows that the peer makes${backup ? ", as backup" : ""}`, async () => {
            const { port, joined } = await managed.joinedByPeer(family, { backup });
            const { local, remote, state, initial, localBackup, remoteBackup } = joined;
            assert.deepEqual([local, remote.address], [{ address: own[1], port }, theirs[1]]);
            assert.deepEqual([joined.localId, joined.remoteId], [1, 9]);
            assert.deepEqual(
              { state, initial, localBackup, remoteBackup },
              { state: "established", initial: false, localBackup: false, remoteBackup: backup },
            );
          });

        it("that the peer wants a subflow to be backup, and no longer so", async () => {
          await managed.other.ip(`mptcp endpoint add ${theirs[0]} id 6 subflow`);
          const { token } = await managed.connect(family);
          for (const backup of [true, false]) {
            const from = managed.machine.daemon.lines.length;
            await managed.other.ip(`mptcp endpoint change id 6 ${backup ? "backup" : "nobackup"}`);
            const [, subflow] = await managed.puppet.told(
              "subflowPriority",
              ([connection]) => connection.token === token,
              { from },
            );
            const { initial, localBackup, remoteBackup } = subflow;
            assert.deepEqual([initial, localBackup, remoteBackup], [true, false, backup]);
          }
        });
      });
    }

    it("of a subflow that is reset, with the error and the reason that the peer gave", async () => {
      const { token, joined } = await managed.joinedByPeer(families[0]);
      const { address, port } = joined.remote;
      await managed.other.run("ss", "-K", "src", address, "sport", "=", String(port));
      const [, closed, reason] = await managed.puppet.told(
        "subflowClosed",
        ([connection]) => connection.token === token,
      );
      assert.deepEqual(closed.local, joined.local);
      assert.deepEqual(reason, { error: 104, code: "ECONNRESET", resetReason: 0, resetFlags: 0 });
    });

    it("of a subflow that the peer closes in good order, without an error", async () => {
      const { token, joined, theirToken } = await managed.joinedByPeer(families[0]);
      await managed.there.leave({ token: theirToken, local: joined.remote, remote: joined.local });
      const [, closed, reason] = await managed.puppet.told(
        "subflowClosed",
        ([connection]) => connection.token === token,
      );
      assert.deepEqual(closed.local, joined.local);
      assert.deepEqual(reason, {});
    });

    it("of listeners", { skip: kernelIsOlderThan("6.2") && "is for Linux 6.2 and newer" }, async () => {
      for (const { any } of families) {
        const port = await managed.here.listen({ address: any, port: 0 });
        await managed.puppet.told(
          "listenerCreated",
          ([listener]) => listener.address === any && listener.port === port,
        );
        await managed.here.stopListening(port);
        await managed.puppet.told(
          "listenerClosed",
          ([listener]) => listener.address === any && listener.port === port,
        );
      }
    });

    it("of an interface that comes, changes and goes, with its addresses", async () => {
      const { machine, puppet } = managed;
      await machine.plug("eth7", "10.0.7.7/24");
      const [fresh] = await puppet.told("newInterface", ([{ name }]) => name === "eth7");
      assert.equal(fresh.hasDefaultRoute, false);
      const [address, one] = await puppet.told("newLocalAddress", ([local]) => local.address === "10.0.7.7");
      assert.deepEqual([address.interface, one.name, address.ifIndex], ["eth7", "eth7", one.index]);

      await machine.ip("route add default via 10.0.7.1 dev eth7 metric 700");
      // Its flags may change by themselves.
      const [, before] = await puppet.told(
        "updateInterface",
        ([{ name, hasDefaultRoute }]) => name === "eth7" && hasDefaultRoute,
      );
      assert.equal(before.hasDefaultRoute, false);

      await machine.ip("addr add 10.0.7.8/24 dev eth7");
      await puppet.told("newLocalAddress", ([local]) => local.address === "10.0.7.8");
      await machine.ip("addr del 10.0.7.8/24 dev eth7");
      await puppet.told("deleteLocalAddress", ([local]) => local.address === "10.0.7.8");

      await machine.cable("eth7").cut();
      await puppet.told("deleteInterface", ([{ name }]) => name === "eth7");
      await puppet.told("deleteLocalAddress", ([local]) => local.address === "10.0.7.7");
      const from = machine.daemon.lines.length;
      await machine.cable("eth7").restore();
      await puppet.told("newInterface", ([{ name }]) => name === "eth7", { from });
      await puppet.told("newLocalAddress", ([local]) => local.address === "10.0.7.7", { from });
      await machine.ip("link del eth7");
      await puppet.told("deleteInterface", ([{ name }]) => name === "eth7", { from });
    });

    it("of interfaces and addresses that are there at the start, as of new ones", async () => {
      const { lines } = managed.machine.daemon;
      const atStart = lines.slice(0, lines.indexOf("notice: ready"));
      const names = atStart.filter((line) => line.includes('"newInterface"')).length;
      const addresses = atStart.filter((line) => line.includes('"newLocalAddress"')).length;
      assert.deepEqual([names, addresses], [2, 4]);
    });
  });
}
