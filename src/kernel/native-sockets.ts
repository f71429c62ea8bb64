/**
 * Sockets that Node's own API cannot make: of IPPROTO_MPTCP, which node:net takes by their descriptor once they are
 * made, and for datagrams to UNIX sockets.
 */
import { bytesOfName } from "../base/bytes.ts";
import { addon, check, settled } from "./netlink/addon.ts";
import { IPPROTO_MPTCP, IPPROTO_TCP } from "./socket-numbers.ts";

export type StreamProtocol = "mptcp" | "tcp";

export type ListenOptions = {
  /** "0.0.0.0", "::" (which takes IPv4 too), "fe80::1%eth0"… */
  readonly address: string;
  /** 0: the kernel chooses. */
  readonly port: number;
  readonly backlog?: number;
  readonly protocol?: StreamProtocol;
};

/** Opens a listening MPTCP socket, for `server.listen({ fd })` of node:net, which then owns the descriptor. */
export function mptcpListen(options: ListenOptions): { fd: number; port: number } {
  const { address, port, backlog = 128, protocol = "mptcp" } = options;
  const what = `cannot listen on ${address} port ${port} (${protocol})`;
  const fd = check(what, addon().streamListen(protocolNumbers[protocol], address, port, backlog));
  return { fd, port: check(what, addon().localPort(fd)) };
}

export type ConnectOptions = {
  readonly address: string;
  readonly port: number;
  readonly localAddress?: string;
  /** An interface that all packets leave by (SO_BINDTODEVICE). */
  readonly device?: string;
  readonly protocol?: StreamProtocol;
  /** Milliseconds until it fails with ETIMEDOUT; 10,000 if not given. */
  readonly timeoutMs?: number;
};

/** Connects an MPTCP socket, for `new net.Socket({ fd })`, which then owns the descriptor. Takes a pool thread. */
export async function mptcpConnect(options: ConnectOptions): Promise<number> {
  const { address, port, localAddress = "", device = "", protocol = "mptcp", timeoutMs = 10_000 } = options;
  const number = protocolNumbers[protocol];
  const result = await settled((settle) =>
    addon().streamConnect(number, address, port, localAddress, bytesOfName(device), timeoutMs, settle),
  );
  return check(`cannot connect to ${address} port ${port} (${protocol})`, result);
}

/**
 * Sends one datagram to a UNIX socket, never waiting; `path` is a file, or "@name" for an abstract address.
 * Throws a SystemError: ENOENT, ECONNREFUSED (nobody listens), EAGAIN (the receiver's queue is full), EMSGSIZE.
 */
export function sendDatagram(path: string, data: Uint8Array): void {
  check(`send to ${path}`, addon().sendDatagram(path, data));
}

/** IPPROTO_MPTCP and IPPROTO_TCP (include/uapi/linux/in.h). */
const protocolNumbers = { mptcp: IPPROTO_MPTCP, tcp: IPPROTO_TCP } as const;
