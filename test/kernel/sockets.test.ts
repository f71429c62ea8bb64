import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab, twoPaths } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { startTraffic } from "../../src/lab/kit/traffic.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { inHost } from "./in-host.ts";

const imports = { Sockets: "kernel/sockets" };

/** What these tests look at, as it comes out of JSON: flags are text, separated by commas. */
type Connection = {
  token: number;
  inode: number;
  state: string;
  local: { address: string; port: number };
  remote: { address: string; port: number };
  info: { subflows: number; bytesSent?: number };
  subflows: {
    local: { address: string; port: number };
    remote: { address: string; port: number };
    localId: number;
    remoteId: number;
    remoteToken: number;
    ifIndex: number;
    flags: string;
    bytes: { sent: number; acked: number; received: number };
    tcp: { rtt: number };
    mptcp: object;
  }[];
};

async function connections(host: Host): Promise<Connection[]> {
  const body = "const sockets = Sockets.open(); say(await sockets.dumpConnections()); sockets.close();";
  return arrayOf(await inHost(host, imports, body));
}

function arrayOf(found: unknown) {
  assert.ok(Array.isArray(found));
  return found;
}

describe("MPTCP sockets of the kernel", { skip: requires({ tools: ["ss"] }) }, () => {
  it("are connections with their subflows, joined by token", async (t) => {
    const lab = await Lab.create(t);
    const { client, server } = await twoPaths(lab, { rate: "50mbit" });
    await client.ip("mptcp endpoint add 10.0.2.2 dev eth2 subflow id 5");
    const traffic = await startTraffic({ from: client, to: server, address: "10.0.1.1" });
    // Bytes on both paths, as the kernel counts them.
    const connection = await waitFor(
      "two subflows that carry bytes",
      async () => (await connections(client))[0],
      { until: (found) => found?.subflows.filter(({ bytes }) => bytes.acked > 100_000).length === 2 },
    );
    assert.ok(connection);
    const { token, subflows } = connection;
    assert.equal(connection.state, "established");
    assert.equal(connection.info.subflows, 1);
    assert.deepEqual(connection.remote, { address: "10.0.1.1", port: traffic.port });
    assert.deepEqual(
      subflows.map(({ local, remote, localId, remoteId, ifIndex }) => ({
        path: `${local.address} ${remote.address}`,
        localId,
        remoteId,
        ifIndex,
      })),
      [
        { path: "10.0.1.2 10.0.1.1", localId: 0, remoteId: 0, ifIndex: 0 },
        { path: "10.0.2.2 10.0.1.1", localId: 5, remoteId: 0, ifIndex: await client.ifIndex("eth2") },
      ],
    );
    assert.match(subflows[0]?.flags ?? "", /capableLocal/);
    assert.match(subflows[1]?.flags ?? "", /joinLocal/);
    for (const { tcp, bytes } of subflows) {
      assert.ok(tcp.rtt > 0);
      assert.ok(bytes.sent >= bytes.acked - 1, "the SYN counts as acknowledged");
    }

    // The other end's view of the same: the token that was joined, received what was acknowledged here.
    const [peer] = await connections(server);
    assert.equal(peer?.subflows.length, 2);
    assert.equal(peer?.token, subflows[1]?.remoteToken);
    for (const subflow of subflows) {
      const other = peer?.subflows.find(({ remote }) => remote.port === subflow.local.port);
      assert.ok(other, "both ends have the subflow");
      assert.ok(other.bytes.received >= subflow.bytes.acked - 1);
    }

    // Two listings are not one moment, and counters go on; what outlines have stays as it is.
    const body = "const sockets = Sockets.open(); say(await sockets.dumpOutlines()); sockets.close();";
    const { local, remote, inode } = connection;
    const common = { socketFamily: 4, state: "established" };
    assert.deepEqual(await inHost(client, imports, body), [
      {
        ...{ ...common, token, local, remote, inode, fallback: false },
        subflows: subflows.map(({ local, remote, localId, remoteId, ifIndex, flags }) => ({
          ...{ ...common, local, remote, localId, remoteId, ifIndex, flags },
        })),
      },
    ]);

    const seenBySs = await client.run("ss", "-Mni");
    assert.match(seenBySs, new RegExp(`token:${token.toString(16)}\\b`));
    await traffic.finish();
  });

  it("are no connections when they listen, and none when they are plain TCP", async (t) => {
    const lab = await Lab.create(t);
    const { client, server } = await twoPaths(lab);
    const body = `
      const { port } = mptcpListen({ address: "::", port: 0, backlog: 7 });
      mptcpListen({ address: "0.0.0.0", port: 0, protocol: "tcp" });
      const sockets = Sockets.open();
      say({ port, listeners: await sockets.dumpListeners(), connections: await sockets.dumpConnections() });
      sockets.close();`;
    const found = await inHost(server, { ...imports, mptcpListen: "kernel/native-sockets" }, body);
    assert.ok(typeof found === "object" && found !== null && "port" in found && "listeners" in found);
    assert.deepEqual(found, {
      port: found.port,
      connections: [],
      listeners: [
        {
          socketFamily: 6,
          local: { address: "::", port: found.port },
          ifIndex: 0,
          uid: process.getuid?.(),
          inode: inodeOf(found.listeners),
          waiting: 0,
          backlog: 7,
        },
      ],
    });
    assert.deepEqual(await connections(client), []);
  });
});

function inodeOf(listeners: unknown): number {
  assert.ok(Array.isArray(listeners));
  const { inode } = listeners[0];
  assert.ok(inode > 0);
  return inode;
}
