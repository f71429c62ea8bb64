import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mptcpInfoFlags } from "../../../src/kernel/messages/flags.ts";
import { mptcpInfo } from "../../../src/kernel/messages/sock-diag.ts";
import type {
  MptcpConnection,
  MptcpListener,
  SocketAddress,
  TcpSocket,
} from "../../../src/kernel/sockets.ts";
import { joinSockets, type SocketLists, socketsOf } from "../../../src/services/status-sockets.ts";

const common = { socketFamily: 4, ifIndex: 0, uid: 0 } as const;

function listener(inode: number, local: string): MptcpListener {
  return { ...common, inode, local: address(local), waiting: 0, backlog: 128 };
}

type Info = { fallback?: boolean; subflows?: number; subflowsTotal?: number };

function connection(inode: number, local: string, remote: string, given: Info = {}): MptcpConnection {
  const { fallback = false, ...counts } = given;
  const flags = mptcpInfoFlags.of(...(fallback ? (["fallback"] as const) : []));
  return {
    ...common,
    inode,
    token: inode,
    local: address(local),
    remote: address(remote),
    state: "established",
    info: mptcpInfo.decode(mptcpInfo.encode({ ...counts, flags })),
    subflows: [],
    unidentified: [],
  };
}

function tcp(inode: number, local: string, remote?: string): TcpSocket {
  const [state, other] =
    remote === undefined ? (["listen", "0.0.0.0:0"] as const) : (["established", remote] as const);
  return { ...common, inode, local: address(local), remote: address(other), state };
}

function address(text: string): SocketAddress {
  const at = text.lastIndexOf(":");
  return { address: text.slice(0, at), port: Number(text.slice(at + 1)) };
}

function lists(given: Partial<SocketLists>): SocketLists {
  return { networkNamespace: 1, connections: [], listeners: [], tcp: [], ...given };
}

/** Every socket of `given`, held by process 1, in words. */
function joined(given: Partial<SocketLists>): string[] {
  const all = [...(given.connections ?? []), ...(given.listeners ?? []), ...(given.tcp ?? [])];
  const sockets = new Set(all.map(({ inode }) => inode));
  return joinSockets([lists(given)], [{ pid: 1, name: "x", sockets }]).map(
    ({ protocol, state, local, fallback, subflows }) =>
      `${protocol} ${state} ${local.address}:${local.port} ${fallback ? "fallback" : "-"} ${subflows ?? "-"}`,
  );
}

describe("sockets and processes", () => {
  it("are joined by the socket's inode, for every process that has it open", () => {
    const found = joinSockets(
      [lists({ listeners: [listener(10, "0.0.0.0:80")], tcp: [tcp(11, "10.0.0.1:22", "10.0.0.2:5")] })],
      [
        { pid: 7, name: "x", sockets: new Set([10, 99]) },
        { pid: 3, name: "x", sockets: new Set([10]) },
        { pid: 4, name: "x", sockets: new Set([11]) },
        { pid: 5, name: "x", sockets: undefined },
      ],
    );
    assert.deepEqual(
      found.map(({ local, holders }) => [local.port, holders.map(({ pid }) => pid)]),
      [
        [80, [3, 7]],
        [22, [4]],
      ],
    );
  });

  it("leave out sockets that nobody has open", () => {
    assert.deepEqual(joinSockets([lists({ listeners: [listener(0, "::1:80")] })], []), []);
  });

  it("are listed in one order: listeners first, then by namespace, port and address", () => {
    const here = lists({
      listeners: [listener(1, "10.0.0.2:80"), listener(2, "10.0.0.1:80"), listener(3, "::1:22")],
      connections: [connection(4, "10.0.0.1:5", "10.0.0.9:80")],
    });
    const there = lists({ networkNamespace: 2, listeners: [listener(5, "0.0.0.0:1")] });
    const found = joinSockets([there, here], [{ pid: 1, name: "x", sockets: new Set([1, 2, 3, 4, 5]) }]);
    assert.deepEqual(
      found.map(({ local, networkNamespace }) => `${networkNamespace} ${local.address}:${local.port}`),
      ["1 ::1:22", "1 10.0.0.1:80", "1 10.0.0.2:80", "2 0.0.0.0:1", "1 10.0.0.1:5"],
    );
  });

  it("of some processes name only these", () => {
    const found = joinSockets(
      [lists({ listeners: [listener(1, "::1:80"), listener(2, "::1:81")] })],
      [
        { pid: 3, name: "x", sockets: new Set([1, 2]) },
        { pid: 4, name: "x", sockets: new Set([1]) },
      ],
    );
    assert.deepEqual(
      socketsOf(found, new Set([4])).map(({ local, holders }) => [local.port, holders.map(({ pid }) => pid)]),
      [[80, [4]]],
    );
  });
});

describe("a connection", () => {
  it("counts its subflows, also on kernels that count only the additional ones", () => {
    const connections = [
      connection(1, "10.0.0.1:1", "10.0.0.2:80", { subflows: 1, subflowsTotal: 1 }),
      connection(2, "10.0.0.1:2", "10.0.0.2:80", { subflows: 2 }),
    ];
    assert.deepEqual(joined({ connections }), [
      "mptcp established 10.0.0.1:1 - 1",
      "mptcp established 10.0.0.1:2 - 3",
    ]);
  });

  it("has fallen back where the kernel says so", () => {
    const connections = [connection(1, "10.0.0.1:1", "10.0.0.2:80", { fallback: true, subflowsTotal: 1 })];
    assert.deepEqual(joined({ connections }), ["mptcp established 10.0.0.1:1 fallback 1"]);
  });

  it("has fallen back where it is TCP and an MPTCP listener has accepted it", () => {
    const found = joined({
      listeners: [listener(1, "0.0.0.0:80")],
      tcp: [tcp(2, "10.0.0.1:80", "10.0.0.2:4000"), tcp(3, "10.0.0.1:4000", "10.0.0.2:80")],
    });
    assert.deepEqual(found, [
      "mptcp listen 0.0.0.0:80 - -",
      "tcp established 10.0.0.1:80 fallback -",
      "tcp established 10.0.0.1:4000 - -",
    ]);
  });

  it("has not fallen back where a TCP listener at its very address has accepted it", () => {
    const found = joined({
      listeners: [listener(1, "0.0.0.0:80")],
      tcp: [tcp(2, "127.0.0.1:80"), tcp(3, "127.0.0.1:80", "127.0.0.1:4000")],
    });
    assert.ok(found.includes("tcp established 127.0.0.1:80 - -"));
  });

  it("is not listed again by its subflows, which have its inode", () => {
    const found = joined({
      connections: [connection(1, "10.0.0.1:1", "10.0.0.2:80", { subflowsTotal: 2 })],
      tcp: [tcp(1, "10.0.0.1:1", "10.0.0.2:80"), tcp(1, "10.0.1.1:2", "10.0.0.2:80")],
    });
    assert.deepEqual(found, ["mptcp established 10.0.0.1:1 - 2"]);
  });
});
