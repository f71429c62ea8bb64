import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { eventually } from "../../src/lab/kit/wait.ts";
import { type Family, families, ManagedHost, type Side, sides } from "../lab/managed-host.ts";
import type { OpenSocket } from "../lab/peer.ts";

/** On the second path; nobody has it. */
const nobody = { IPv4: "10.0.2.99", IPv6: "fd00:2::99", "IPv4 by IPv6 sockets": "10.0.2.99" } as const;

for (const side of sides) {
  describe(`a path manager of the ${side} has a hand in subflows:`, { skip: requires() }, () => {
    let managed: ManagedHost;
    before(async () => {
      managed = await ManagedHost.started(undefined, side);
      // What goes to nobody is lost. Else it would be refused, as soon as nobody says what its link address is.
      for (const address of new Set(Object.values(nobody)))
        await managed.machine.host.ip(`neigh add ${address} lladdr 02:00:00:00:00:99 dev eth2`);
      if (side === "client") return;
      // An IPv6 address with a port fits into a packet only without timestamps (before Linux 7.2).
      await managed.client.sysctl("net.ipv4.tcp_timestamps", 0);
      for (const address of ["10.0.2.2", "fd00:2::2"])
        await managed.client.ip(`mptcp endpoint add ${address} port ${clientPort} signal`);
    });
    after(() => managed.machine.lab.close());

    for (const family of families) {
      const ends = endsOf(family, side);

      describe(family.what, () => {
        it("createSubflow resolves when it is established, with the id and the ends that the kernel has", async () => {
          const { token, socket, target } = await connect(managed, family);
          const made = await managed.puppet.with(
            token,
            (pm, connection, { from, to }) => pm.createSubflow(connection, { from, to }),
            { from: ends.from, to: { address: ends.to, port: target } },
          );
          assert.equal(made.state, "established");
          assert.equal(made.initial, false);
          assert.equal(made.remote.address, ends.to);
          assert.ok(made.local.port > 0);
          const { subflows } = await managed.here.connectionAt(socket.port);
          const [own] = subflows.filter(({ local }) => local.port === made.local.port);
          assert.deepEqual(own && { ...own, flags: [], state: "" }, {
            ...{ local: made.local, remote: made.remote, flags: [], state: "" },
            ...{ localId: made.localId, remoteId: made.remoteId, ifIndex: made.ifIndex },
          });
          assert.deepEqual(await managed.here.ids(token), [`${made.localId} ${ends.from}`]);
          await managed.clientPeer.echo(socket);
        });

        it("what is no port is refused with EINVAL, as in the simulation", async () => {
          const { token } = await connect(managed, family);
          for (const port of [70_000, 1.5]) {
            const attempt = managed.puppet.with(
              token,
              (pm, connection, { from, to }) => pm.createSubflow(connection, { from, to }),
              { from: ends.from, to: { address: ends.to, port } },
            );
            await assert.rejects(attempt, { code: "EINVAL", message: /is no port: allowed are 0 to 65535/ });
          }
        });

        it("createSubflow is told as a new subflow, too", async () => {
          const { token, target } = await connect(managed, family);
          const made = await managed.puppet.with(
            token,
            (pm, connection, { from, to }) => pm.createSubflow(connection, { from, to }),
            { from: ends.from, to: { address: ends.to, port: target } },
          );
          const [, told] = await managed.puppet.told(
            "newSubflow",
            ([connection]) => connection.token === token,
          );
          assert.deepEqual(told.local, made.local);
        });

        it("createSubflow by an interface takes its address, and binds to it", async () => {
          const { token, socket, target } = await connect(managed, family);
          const made = await managed.puppet.with(
            token,
            async (pm, connection, { name, to }) => {
              const uplink = pm.network.uplinks.find((one) => one.name === name);
              if (uplink === undefined) throw new Error(`no uplink ${name}`);
              return await pm.createSubflow(connection, { from: uplink, to });
            },
            { name: "eth2", to: { address: ends.to, port: target } },
          );
          assert.equal(made.local.address, ends.from);
          const { subflows } = await managed.here.connectionAt(socket.port);
          const [own] = subflows.filter(({ local }) => local.port === made.local.port);
          assert.equal(own?.ifIndex, await managed.machine.host.ifIndex("eth2"));
        });

        it("createSubflow rejects with ECONNREFUSED where nobody listens", async () => {
          const { token } = await connect(managed, family);
          const attempt = managed.puppet.with(
            token,
            (pm, connection, { from, to }) => pm.createSubflow(connection, { from, to }),
            { from: ends.from, to: { address: ends.to, port: 9 } },
          );
          await assert.rejects(attempt, {
            ...{ code: "ECONNREFUSED", name: "ConnectionError" },
            message: /^cannot create subflow \S+ to \S+ port 9 of connection [0-9a-f]{8}: the peer refuses/,
          });
          // It concerns nobody else, and leaves nothing.
          assert.deepEqual(toldOfSubflows(managed, token), []);
          assert.deepEqual(await managed.puppet.with(token, (_, { subflows }) => subflows.length), 1);
        });

        it("createSubflow rejects with ETIMEDOUT at its deadline, and no SYN goes on", async () => {
          const { token } = await connect(managed, family);
          const before = await connects(managed);
          const attempt = managed.puppet.with(
            token,
            (pm, connection, { from, to }) => pm.createSubflow(connection, { from, to, deadline: 200 }),
            { from: ends.from, to: nobody[family.what] },
          );
          await assert.rejects(attempt, { code: "ETIMEDOUT", message: /did not answer in 200 ms/ });
          assert.equal(await connects(managed), before + 1, "a SYN");
          await eventually("the end of it", async () => assert.equal(await synSent(managed), ""));
          assert.deepEqual(await managed.puppet.with(token, (_, { subflows }) => subflows.length), 1);
          assert.deepEqual(toldOfSubflows(managed, token), []);
        });

        it("createSubflow rejects with ECONNABORTED when the connection ends first", async () => {
          const { token, socket } = await connect(managed, family);
          const attempt = managed.puppet.with(
            token,
            (pm, connection, { from, to }) => pm.createSubflow(connection, { from, to }),
            { from: ends.from, to: nobody[family.what] },
          );
          const failed = assert.rejects(attempt, { code: "ECONNABORTED" });
          await eventually("a SYN", async () => assert.notEqual(await synSent(managed), ""));
          await managed.clientPeer.close(socket);
          await failed;
          await eventually("the end of it", async () => assert.equal(await synSent(managed), ""));
        });

        it("createSubflow of an address that this host does not have rejects with EADDRNOTAVAIL", async () => {
          const { token, target } = await connect(managed, family);
          const attempt = managed.puppet.with(
            token,
            (pm, connection, { from, to }) => pm.createSubflow(connection, { from, to }),
            { from: nobody[family.what], to: { address: ends.to, port: target } },
          );
          await assert.rejects(attempt, { code: "EADDRNOTAVAIL", name: "KernelError" });
          assert.deepEqual(await managed.puppet.with(token, (_, { subflows }) => subflows.length), 1);
        });

        it("destroySubflow ends one, at both ends, and once only", async () => {
          const { token, socket, target } = await connect(managed, family);
          const made = await managed.puppet.with(
            token,
            (pm, connection, { from, to }) => pm.createSubflow(connection, { from, to }),
            { from: ends.from, to: { address: ends.to, port: target } },
          );
          const codes = await managed.puppet.with(
            token,
            async (pm, connection, port) => {
              const subflow = connection.subflows.find(({ local }) => local.port === port);
              if (subflow === undefined) throw new Error("no such subflow");
              await pm.destroySubflow(connection, subflow);
              const again = pm.destroySubflow(connection, subflow);
              return await again.then(
                () => "resolved",
                (error) => error.code,
              );
            },
            made.local.port,
          );
          assert.equal(codes, "ESRCH");
          await managed.puppet.told(
            "subflowClosed",
            ([connection, subflow]) => connection.token === token && subflow.local.port === made.local.port,
          );
          for (const peer of [managed.here, managed.there])
            await eventually("one subflow", async () =>
              assert.equal((await peer.connectionAt(socket.port)).subflows.length, 1),
            );
          await managed.clientPeer.echo(socket);
        });

        it("withdraw ends also one that is connecting, before anybody could answer", async () => {
          const { token, target } = await connect(managed, family);
          const code = await managed.puppet.with(
            token,
            async (pm, connection, { from, to }) => {
              const creating = pm.createSubflow(connection, { from, to });
              const failed = creating.then(
                () => "resolved",
                (error) => error.code,
              );
              while (connection.subflows.length === 1) await pm.sleep(1);
              await pm.withdraw(connection, from);
              return await failed;
            },
            { from: ends.from, to: { address: nobody[family.what], port: target } },
          );
          assert.match(code, /^(ECONNRESET|ECONNABORTED)$/);
          assert.equal(await synSent(managed), "");
        });

        it("destroySubflow of the initial one leaves the connection to the others", async () => {
          const { token, socket, target } = await connect(managed, family);
          await managed.puppet.with(
            token,
            (pm, connection, { from, to }) => pm.createSubflow(connection, { from, to }),
            { from: ends.from, to: { address: ends.to, port: target } },
          );
          await managed.puppet.with(token, async (pm, connection) => {
            const [initial] = connection.subflows;
            if (!initial?.initial) throw new Error("it is not the first");
            await pm.destroySubflow(connection, initial);
          });
          const [, closed] = await managed.puppet.told(
            "subflowClosed",
            ([connection]) => connection.token === token,
          );
          assert.equal(closed.initial, true);
          await managed.clientPeer.echo(socket);
          const left = await managed.puppet.with(token, (_, { subflows }) =>
            subflows.map((one) => one.local),
          );
          assert.deepEqual(
            left.map(({ address }) => address),
            [ends.from],
          );
        });

        it("setBackup is seen by the peer, and so is its end", async () => {
          const { token, socket, target } = await connect(managed, family);
          const made = await managed.puppet.with(
            token,
            (pm, connection, { from, to }) => pm.createSubflow(connection, { from, to, backup: true }),
            { from: ends.from, to: { address: ends.to, port: target } },
          );
          assert.deepEqual([made.localBackup, made.remoteBackup], [true, false]);
          await isBackup(managed, socket, made.local.port, true);
          for (const backup of [false, true]) {
            await setBackup(managed, token, made.local.port, backup);
            await isBackup(managed, socket, made.local.port, backup);
          }
        });

        it("setBackup of the initial one is seen by the peer, too", async () => {
          const { token, socket } = await connect(managed, family);
          const port = await managed.puppet.with(token, (_, { local }) => local.port);
          await setBackup(managed, token, port, true);
          await isBackup(managed, socket, port, true);
        });
      });
    }
  });
}

/** Where the client takes subflows: only at a port that it has announced. */
const clientPort = 4444;

/** A connection, and the port of the peer's at which it takes further subflows. */
async function connect(managed: ManagedHost, family: Family) {
  const connection = await managed.connect(family);
  if (managed.side === "client") return { ...connection, target: connection.port };
  await managed.puppet.told(
    "newAddress",
    ([{ token }, { address }]) => token === connection.token && address === family.client[1],
  );
  return { ...connection, target: clientPort };
}

/** From the second address of this host; the server has one way only to each of the client's. */
function endsOf({ client, server }: Family, side: Side): { from: string; to: string } {
  return side === "client" ? { from: client[1], to: server[0] } : { from: server[1], to: client[1] };
}

function setBackup({ puppet }: ManagedHost, token: number, port: number, backup: boolean): Promise<void> {
  return puppet.with(
    token,
    async (pm, connection, given) => {
      const subflow = connection.subflows.find(({ local }) => local.port === given.port);
      if (subflow === undefined) throw new Error("no such subflow");
      await pm.setBackup(connection, subflow, given.backup);
      if (subflow.localBackup !== given.backup) throw new Error("it is not what it was set to");
    },
    { port, backup },
  );
}

/** Waits until the peer knows that a subflow from that port of ours is backup, or is not. */
async function isBackup(
  { there }: ManagedHost,
  { port: clientPort }: OpenSocket,
  port: number,
  backup: boolean,
): Promise<void> {
  await eventually("the peer to know", async () => {
    const { subflows } = await there.connectionAt(clientPort);
    const theirs = subflows.find(({ remote }) => remote.port === port);
    assert.equal(theirs?.flags.includes("backupRemote"), backup);
  });
}

function toldOfSubflows({ puppet }: ManagedHost, token: number): string[] {
  return puppet.history(token).filter((event) => event.includes("ubflow"));
}

/** How many times a socket of the managed host has begun to connect. */
async function connects({ machine }: ManagedHost): Promise<number> {
  const counted = await machine.host.run("nstat", "-asz", "TcpActiveOpens");
  return Number(/^TcpActiveOpens +(\d+) /m.exec(counted)?.[1]);
}

/** The sockets of the managed host that wait for an answer to their SYN. */
function synSent({ machine }: ManagedHost): Promise<string> {
  return machine.host.run("ss", "-tnH", "state", "syn-sent");
}
