import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SOCK_DIAG_BY_FAMILY, subflowFlags } from "../../../src/kernel/inet-diag.ts";
import { mptcpInfoFlags } from "../../../src/kernel/messages/flags.ts";
import {
  mptcpInfo,
  mptcpSocket,
  socketRequest,
  tcpInfo,
  tcpSocket,
} from "../../../src/kernel/messages/sock-diag.ts";
import { ipBytes } from "../../../src/kernel/netlink/ip.ts";
import { Sockets } from "../../../src/kernel/sockets.ts";
import { FakeKernel, multipart } from "../../lab/fake-kernel.ts";

const families = { 2: "IPv4", 10: "IPv6" } as const;
const protocols = { 6: "TCP", 262: "MPTCP" } as const;

/** What `struct inet_diag_sockid` holds; 4 bytes of IPv4 are followed by 12 zeros. */
function socketId(local: string, localPort: number, remote: string, remotePort: number, ifIndex = 0) {
  const padded = (address: string) => Uint8Array.from({ length: 16 }, (_, i) => ipBytes(address)[i] ?? 0);
  return { local: padded(local), localPort, remote: padded(remote), remotePort, ifIndex };
}

const info = {
  subflows: 1,
  flags: mptcpInfoFlags.of("remoteKeyReceived"),
  token: 0xfeaaba52,
  writeSequence: 0xffff_ffff_ffff_fff0n,
};

const connection = {
  family: 2,
  state: 1,
  id: socketId("10.0.1.2", 40000, "10.0.1.1", 80),
  uid: 1000,
  inode: 77,
  info,
};

function subflow(id: ReturnType<typeof socketId>, mptcp: object) {
  return {
    family: 2,
    state: 1,
    id,
    info: { state: 1, rtt: 57, totalRetransmits: 2, bytesSent: 1000, bytesAcked: 900, bytesReceived: 10 },
    upperLayer: { name: "mptcp", mptcp: { localToken: info.token, ...mptcp } },
  };
}

const initial = subflow(socketId("10.0.1.2", 40000, "10.0.1.1", 80), {
  flags: subflowFlags.of("capableLocal", "capableRemote"),
});
const joined = subflow(socketId("10.0.2.2", 50000, "10.0.1.1", 80, 3), {
  flags: subflowFlags.of("joinLocal", "joinRemote", "backupLocal"),
  localId: 2,
  remoteToken: 0x1234,
});

/** A kernel that has these sockets, by protocol and family. */
function kernel(sockets: Readonly<Record<string, readonly Uint8Array[]>>): FakeKernel {
  return new FakeKernel((request) => {
    const { family, wideProtocol = 0 } = socketRequest.decode(request);
    const found = sockets[`${named(protocols, wideProtocol)} ${named(families, family)}`] ?? [];
    return multipart(found.map((payload) => ({ type: SOCK_DIAG_BY_FAMILY, payload })));
  });
}

function named(names: Readonly<Record<number, string>>, number: number): string {
  return names[number] ?? `${number}`;
}

async function connectionsOf(sockets: Readonly<Record<string, readonly Uint8Array[]>>) {
  const open = Sockets.open({ open: kernel(sockets).open });
  try {
    return await open.dumpConnections();
  } finally {
    open.close();
  }
}

describe("MPTCP connections", () => {
  it("have their subflows, the initial one first", async () => {
    const [found, ...more] = await connectionsOf({
      "MPTCP IPv4": [mptcpSocket.encode(connection)],
      "TCP IPv4": [tcpSocket.encode(joined), tcpSocket.encode(initial)],
    });
    assert.deepEqual(more, []);
    assert.ok(found);
    assert.equal(found.token, 0xfeaaba52);
    assert.equal(found.state, "established");
    assert.deepEqual(found.local, { address: "10.0.1.2", port: 40000 });
    assert.deepEqual(found.remote, { address: "10.0.1.1", port: 80 });
    assert.equal(found.uid, 1000);
    assert.equal(found.inode, 77);
    assert.equal(found.info.writeSequence, 0xffff_ffff_ffff_fff0n);
    assert.deepEqual(
      found.subflows.map(({ local, ifIndex, localId, remoteToken, flags, bytes }) => ({
        from: local.address,
        ifIndex,
        localId,
        remoteToken,
        flags: flags.names,
        bytes,
      })),
      [
        {
          from: "10.0.1.2",
          ifIndex: 0,
          localId: 0,
          remoteToken: 0,
          flags: ["capableRemote", "capableLocal"],
          bytes: { sent: 1000, acked: 900, received: 10 },
        },
        {
          from: "10.0.2.2",
          ifIndex: 3,
          localId: 2,
          remoteToken: 0x1234,
          flags: ["joinRemote", "joinLocal", "backupLocal"],
          bytes: { sent: 1000, acked: 900, received: 10 },
        },
      ],
    );
    assert.equal(found.subflows[0]?.tcp.rtt, 57);
  });

  it("have the initial subflow first, though another joined from the same address", async () => {
    const flags = subflowFlags.of("joinLocal", "joinRemote");
    const second = subflow(socketId("10.0.1.2", 40001, "10.0.1.1", 80), { flags, localId: 0, remoteId: 0 });
    const [found] = await connectionsOf({
      "MPTCP IPv4": [mptcpSocket.encode(connection)],
      "TCP IPv4": [tcpSocket.encode(second), tcpSocket.encode(initial)],
    });
    assert.deepEqual(
      found?.subflows.map(({ local }) => local.port),
      [40000, 40001],
    );
  });

  it("get no subflow of another connection, nor a TCP socket that is none", async () => {
    const other = { ...joined, upperLayer: { name: "mptcp", mptcp: { localToken: 1 } } };
    const tls = { ...joined, upperLayer: { name: "tls" } };
    const { upperLayer: _, ...bare } = joined;
    const [found] = await connectionsOf({
      "MPTCP IPv4": [mptcpSocket.encode(connection)],
      "TCP IPv4": [other, tls, bare].map((socket) => tcpSocket.encode(socket)),
    });
    assert.deepEqual(found?.subflows, []);
  });

  it("have by their inode the sockets of which the kernel tells no token", async () => {
    const { upperLayer: _, ...bare } = initial;
    const named = { ...joined, upperLayer: { name: "mptcp" }, inode: connection.inode };
    const [found] = await connectionsOf({
      "MPTCP IPv4": [mptcpSocket.encode(connection)],
      "TCP IPv4": [{ ...bare, inode: connection.inode }, named, { ...bare, inode: 78 }, bare].map((socket) =>
        tcpSocket.encode(socket),
      ),
    });
    assert.deepEqual(found?.subflows, []);
    assert.deepEqual(
      found.unidentified.map(({ local, ifIndex, bytes, tcp }) => [
        local.address,
        ifIndex,
        bytes.sent,
        tcp.rtt,
      ]),
      [
        ["10.0.1.2", 0, 1000, 57],
        ["10.0.2.2", 3, 1000, 57],
      ],
    );
    // One that waits to be accepted has the inode 0, as has a socket that nobody holds any more.
    const waiting = mptcpSocket.encode({ ...connection, inode: 0 });
    const [nobodys] = await connectionsOf({
      "MPTCP IPv4": [waiting],
      "TCP IPv4": [tcpSocket.encode({ ...bare, inode: 0 })],
    });
    assert.deepEqual(nobodys?.unidentified, []);
  });

  it("count no socket twice", async () => {
    const [found] = await connectionsOf({
      "MPTCP IPv4": [mptcpSocket.encode(connection)],
      "TCP IPv4": [tcpSocket.encode({ ...initial, inode: connection.inode })],
    });
    assert.equal(found?.subflows.length, 1);
    assert.deepEqual(found.unidentified, []);
  });

  it("of a dual-stack socket have IPv4 addresses where they are", async () => {
    const mapped = socketId("::ffff:10.0.1.1", 80, "::ffff:10.0.1.2", 40000);
    const [found] = await connectionsOf({
      "MPTCP IPv6": [mptcpSocket.encode({ ...connection, family: 10, id: mapped })],
      "TCP IPv6": [tcpSocket.encode({ ...initial, family: 10, id: mapped })],
    });
    assert.equal(found?.local.address, "10.0.1.1");
    assert.equal(found?.socketFamily, 6);
    assert.equal(found?.subflows[0]?.remote.address, "10.0.1.2");
    assert.equal(found?.subflows[0]?.socketFamily, 6);
  });

  it("are read from kernels with shorter and with longer structs", async () => {
    const whole = mptcpInfo.encode({ ...info, subflowsTotal: 3, bytesSent: 5, lastAckReceived: 9 });
    for (const [length, subflowsTotal] of [
      [40, undefined],
      [43, undefined],
      [whole.length, 3],
      [whole.length + 8, 3],
    ] as const) {
      const [found] = await connectionsOf({ "MPTCP IPv4": [withInfo(whole, length)] });
      assert.equal(found?.token, info.token, `${length} bytes`);
      assert.equal(found.info.subflowsTotal, subflowsTotal, `${length} bytes`);
    }
  });

  it("have the same outlines as they have whole", async () => {
    const fake = kernel({
      "MPTCP IPv4": [mptcpSocket.encode(connection)],
      "TCP IPv4": [tcpSocket.encode(joined), tcpSocket.encode(initial)],
    });
    const sockets = Sockets.open({ open: fake.open });
    const [outline] = await sockets.dumpOutlines();
    const [whole] = await sockets.dumpConnections();
    sockets.close();
    assert.ok(whole);
    const { uid: _, ifIndex: __, info: ___, unidentified: ____, ...rest } = whole;
    assert.deepEqual(outline, {
      ...rest,
      fallback: false,
      subflows: whole.subflows.map(({ remoteToken, bytes, mptcp, tcp, ...subflow }) => subflow),
    });
    // Without INET_DIAG_INFO the kernel says nothing of MPTCP.
    for (const request of fake.requests) assert.equal(socketRequest.decode(request).extensions, 2);
  });

  it("have an outline that says whether they became plain TCP", async () => {
    const fallen = { ...connection, info: { ...info, flags: mptcpInfoFlags.of("fallback") } };
    const sockets = Sockets.open({ open: kernel({ "MPTCP IPv4": [mptcpSocket.encode(fallen)] }).open });
    const [outline] = await sockets.dumpOutlines();
    sockets.close();
    assert.equal(outline?.fallback, true);
    assert.deepEqual(outline.subflows, []);
  });

  it("count bytes only where the kernel does", async () => {
    const old = tcpInfo.encode({ state: 1, rtt: 9 }).length;
    assert.equal(old, 104, "struct tcp_info of Linux 3.14");
    const socket = { ...initial, info: { state: 1, rtt: 9 } };
    const [found] = await connectionsOf({
      "MPTCP IPv4": [mptcpSocket.encode(connection)],
      "TCP IPv4": [tcpSocket.encode(socket)],
    });
    assert.deepEqual(found?.subflows[0]?.bytes, { sent: 0, acked: 0, received: 0 });
  });
});

describe("MPTCP listeners", () => {
  it("are asked for apart, with their queue", async () => {
    const fake = kernel({
      "MPTCP IPv6": [
        mptcpSocket.encode({
          family: 10,
          state: 10,
          id: socketId("::", 80, "::", 0),
          receiveQueue: 1,
          sendQueue: 128,
        }),
      ],
    });
    const sockets = Sockets.open({ open: fake.open });
    assert.deepEqual(await sockets.dumpListeners(), [
      {
        socketFamily: 6,
        local: { address: "::", port: 80 },
        ifIndex: 0,
        uid: 0,
        inode: 0,
        waiting: 1,
        backlog: 128,
      },
    ]);
    const states = fake.requests.map((request) => socketRequest.decode(request).states);
    assert.deepEqual(states, [1 << 10, 1 << 10, 1 << 10, 1 << 10]);
    sockets.close();
  });

  it("are those of the TCP list as well: that of MPTCP leaves some of a port out", async () => {
    const listener = (inode: number) => ({
      ...{ family: 2, state: 10, id: socketId("0.0.0.0", 80, "0.0.0.0", 0), inode },
      ...{ receiveQueue: 0, sendQueue: 5 },
    });
    const ofTcp = [1, 2, 3].map((inode) =>
      tcpSocket.encode({ ...listener(inode), ...(inode === 3 ? {} : { upperLayer: { name: "mptcp" } }) }),
    );
    const fake = kernel({ "MPTCP IPv4": [mptcpSocket.encode(listener(1))], "TCP IPv4": ofTcp });
    const sockets = Sockets.open({ open: fake.open });
    assert.deepEqual(
      (await sockets.dumpListeners()).map(({ inode, backlog }) => [inode, backlog]),
      [
        [1, 5],
        [2, 5],
      ],
    );
    sockets.close();
  });
});

/** A connection's message whose INET_DIAG_INFO has `length` bytes. */
function withInfo(whole: Uint8Array, length: number): Uint8Array {
  const { info: _, ...bare } = connection;
  const header = mptcpSocket.encode(bare);
  const attribute = Buffer.alloc(4 + Math.ceil(length / 4) * 4);
  attribute.writeUInt16LE(4 + length, 0);
  attribute.writeUInt16LE(2, 2);
  attribute.set(whole.subarray(0, length), 4);
  return Buffer.concat([header, attribute]);
}
