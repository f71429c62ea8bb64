import { once } from "node:events";
import { Server, Socket } from "node:net";
import { endpointFlags, MptcpPm } from "../../src/kernel/mptcp-pm.ts";
import { mptcpConnect, mptcpListen } from "../../src/kernel/native-sockets.ts";
import { unmapped } from "../../src/kernel/netlink/ip.ts";
import { openInNetworkNamespace } from "../../src/kernel/network-namespace.ts";
import { type ConnectionOutline, Sockets, type SubflowFlag } from "../../src/kernel/sockets.ts";
import type { Host } from "../../src/lab/kit/host.ts";
import { waitFor, within } from "../../src/lab/kit/wait.ts";

/** Connections that are opened at a time. */
const AT_A_TIME = 50;

export type ListenRequest = {
  readonly address: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Keep its side open when the other has ended. */
  readonly halfOpen?: boolean;
};

export type ConnectRequest = {
  /** "10.0.1.1"; "::ffff:10.0.1.1" for IPv4 by an IPv6 socket. */
  readonly address: string;
  readonly port: number;
  readonly localAddress?: string;
  /** How many connections. */
  readonly count?: number;
};

export type OpenSocket = {
  readonly socket: Socket;
  /** Its own. */
  readonly port: number;
  /** Of its connection, in the host of the peer. */
  readonly token: number;
};

export type JoinRequest = {
  /** Of the connection, in the host of the peer. */
  readonly token: number;
  readonly from: string;
  readonly to: string;
  readonly port: number;
  /** Of the address that it goes from. */
  readonly id: number;
  readonly backup?: boolean;
};

export type LeaveRequest = {
  readonly token: number;
  readonly local: SocketEnd;
  readonly remote: SocketEnd;
};

export type SocketEnd = { readonly address: string; readonly port: number };

/** What sock_diag shows of a connection. */
export type KernelConnection = {
  readonly token: number;
  readonly local: SocketEnd;
  readonly remote: SocketEnd;
  readonly state: string;
  readonly fallback: boolean;
  readonly subflows: readonly {
    readonly local: SocketEnd;
    readonly remote: SocketEnd;
    readonly state: string;
    readonly localId: number;
    readonly remoteId: number;
    /** That it is bound to; 0 none. */
    readonly ifIndex: number;
    readonly flags: readonly SubflowFlag[];
  }[];
};

/**
 * Opens and takes MPTCP connections in a host, and says what the kernel there knows of them. It is no process of its
 * own: sockets that this one opens in the host's network namespace stay there.
 */
export class Peer {
  readonly #host: Host;
  readonly #open = new Set<Socket>();
  readonly #accepted = new Set<Socket>();
  readonly #servers = new Map<number, Server>();
  readonly #usedPorts = new Set<number>();
  #sockets: Sockets | undefined;
  #pm: Promise<MptcpPm> | undefined;

  constructor(host: Host) {
    this.#host = host;
    host.onClose(() => this.#close());
  }

  /** Takes connections and sends back what comes by them. Gives the port. */
  async listen({ address, port, halfOpen = false }: ListenRequest): Promise<number> {
    const { fd, port: chosen } = this.#inside(() => mptcpListen({ address, port, backlog: 1024 }));
    const server = new Server({ allowHalfOpen: halfOpen }, (socket) => {
      this.#accepted.add(socket);
      socket.on("error", () => undefined).on("close", () => this.#accepted.delete(socket));
      socket.on("data", (data) => socket.write(data));
    });
    this.#servers.set(chosen, server.listen({ fd }));
    await once(server, "listening");
    return chosen;
  }

  /** Opens a connection; something went both ways by it when this resolves. */
  async connect(request: Omit<ConnectRequest, "count">): Promise<OpenSocket> {
    const [socket] = await this.connectMany({ ...request, count: 1 });
    if (socket === undefined) throw new Error("no connection was made");
    return socket;
  }

  /** The same with many, some at a time. */
  async connectMany({ count = 1, ...request }: ConnectRequest): Promise<OpenSocket[]> {
    const made: Socket[] = [];
    for (let left = count; left > 0; left -= AT_A_TIME) {
      const some = Array.from({ length: Math.min(left, AT_A_TIME) }, () => this.#connectOne(request));
      made.push(...(await within("peers to connect", Promise.all(some))));
    }
    const outlines = await this.#diagnostics.dumpOutlines();
    const tokens = new Map(outlines.map(({ token, local }) => [local.port, token]));
    return made.map((socket) => {
      const port = portOf(socket);
      return { socket, port, token: tokens.get(port) ?? 0 };
    });
  }

  /** Sends something and waits until it is back: the connection is alive. */
  echo({ socket }: OpenSocket): Promise<void> {
    return within("a peer to echo", echo(socket));
  }

  /** Ends its side of a connection in good order. */
  end({ socket }: OpenSocket): void {
    socket.end();
  }

  close({ socket }: OpenSocket): void {
    socket.destroy();
  }

  /** Closes all connections that it has opened or taken. */
  closeAll(): void {
    for (const socket of [...this.#open, ...this.#accepted]) socket.destroy();
  }

  stopListening(port: number): void {
    this.#servers.get(port)?.close();
  }

  /** All MPTCP connections of the host. */
  async connections(): Promise<KernelConnection[]> {
    return (await this.#diagnostics.dumpOutlines()).map(plain);
  }

  /** The connection whose own port, or whose peer's port, that is. */
  async connectionAt(port: number): Promise<KernelConnection> {
    return await waitFor(`a connection at port ${port}`, async () =>
      (await this.connections()).find(({ local, remote }) => local.port === port || remote.port === port),
    );
  }

  /** The established subflows of such a connection, sorted: "10.0.2.2 > 10.0.1.1". */
  async subflowsAt(port: number): Promise<string[]> {
    const found = (await this.connections()).find(
      (one) => one.local.port === port || one.remote.port === port,
    );
    return (found?.subflows ?? [])
      .filter(({ state }) => state === "established")
      .map(({ local, remote }) => `${local.address} > ${remote.address}`)
      .sort();
  }

  /** Adds a subflow to a connection of the userspace path manager; it is on its way when this resolves. */
  async join({ token, from, to, port, id, backup = false }: JoinRequest): Promise<void> {
    await (await this.#pathManager).createSubflow({
      ...{ token, local: { address: from, id }, remote: { address: to, port } },
      ...(backup && { flags: endpointFlags.of("backup") }),
    });
  }

  /** Ends such a subflow. */
  async leave(request: LeaveRequest): Promise<void> {
    await (await this.#pathManager).destroySubflow(request);
  }

  /** The kernel's list of addresses and ids of a connection of the userspace path manager, as "1 10.0.2.2", by id. */
  async ids(token: number): Promise<string[]> {
    return (await (await this.#pathManager).dumpEndpoints(token))
      .toSorted((a, b) => a.id - b.id)
      .map(({ id, address, port }) => `${id} ${unmapped(address)}${port === 0 ? "" : ` port ${port}`}`);
  }

  /**
   * From a port that no connection has had: tests tell connections by it. The kernel minds only those to the same
   * server.
   */
  async #connectOne(request: Omit<ConnectRequest, "count">): Promise<Socket> {
    const fd = await this.#inside(() => mptcpConnect(request));
    const socket = new Socket({ fd, allowHalfOpen: true });
    this.#open.add(socket);
    socket.on("error", () => undefined).on("close", () => this.#open.delete(socket));
    await echo(socket.resume());
    const port = portOf(socket);
    if (this.#usedPorts.has(port)) {
      socket.destroy();
      return await this.#connectOne(request);
    }
    this.#usedPorts.add(port);
    return socket;
  }

  #inside<Opened>(open: () => Opened): Opened {
    return openInNetworkNamespace(this.#host.path, open);
  }

  get #diagnostics(): Sockets {
    this.#sockets ??= this.#inside(() => Sockets.open());
    return this.#sockets;
  }

  get #pathManager(): Promise<MptcpPm> {
    // It opens its socket before it waits for anything.
    this.#pm ??= this.#inside(() => MptcpPm.open());
    return this.#pm;
  }

  async #close(): Promise<void> {
    this.closeAll();
    for (const server of this.#servers.values()) server.close();
    this.#sockets?.close();
    (await this.#pm)?.close();
  }
}

async function echo(socket: Socket): Promise<void> {
  const back = once(socket, "data");
  socket.write("x");
  await back;
}

function portOf({ localPort }: Socket): number {
  if (localPort === undefined) throw new Error("a socket without a port");
  return localPort;
}

function plain({ token, local, remote, state, fallback, subflows }: ConnectionOutline): KernelConnection {
  const seen = subflows.map((subflow) => ({
    ...{ local: subflow.local, remote: subflow.remote, state: subflow.state },
    ...{ localId: subflow.localId, remoteId: subflow.remoteId },
    ...{ ifIndex: subflow.ifIndex, flags: subflow.flags.names },
  }));
  return { token, local, remote, state, fallback, subflows: seen };
}
