import type { Host } from "../../src/lab/kit/host.ts";
import { type Closer, Lab, twoPaths } from "../../src/lab/kit/lab.ts";
import type { Cable } from "../../src/lab/kit/link.ts";
import type { Subflow } from "../../src/path-managers/api/index.ts";
import { Machine } from "./machine.ts";
import { type OpenSocket, Peer } from "./peer.ts";
import { Puppet } from "./puppet.ts";

/** By what sockets and addresses a connection between the two hosts is made. */
export type Family = {
  readonly what: "IPv4" | "IPv6" | "IPv4 by IPv6 sockets";
  /** What the server listens on, and what the client connects to. */
  readonly any: string;
  readonly target: string;
  /** The addresses of the two hosts on the two paths. */
  readonly client: readonly [string, string];
  readonly server: readonly [string, string];
};

const ipv4 = { client: ["10.0.1.2", "10.0.2.2"], server: ["10.0.1.1", "10.0.2.1"] } as const;

export const families: readonly [Family, Family, Family] = [
  { what: "IPv4", any: "0.0.0.0", target: "10.0.1.1", ...ipv4 },
  {
    ...{ what: "IPv6", any: "::", target: "fd00:1::1" },
    ...{ client: ["fd00:1::2", "fd00:2::2"], server: ["fd00:1::1", "fd00:2::1"] },
  },
  { what: "IPv4 by IPv6 sockets", any: "::", target: "::ffff:10.0.1.1", ...ipv4 },
];

export type Side = "client" | "server";

export const sides: readonly Side[] = ["client", "server"];

/**
 * A client and a server on two paths, with processes in them that talk MPTCP, and an mptcpd with a puppet in one of
 * them. The other has no mptcpd: its kernel's own path manager takes whatever comes.
 */
export class ManagedHost {
  readonly side: Side;
  readonly client: Host;
  readonly server: Host;
  readonly clientPeer: Peer;
  readonly serverPeer: Peer;
  readonly paths: readonly [Cable, Cable];
  /** That with mptcpd. */
  readonly machine: Machine;
  readonly puppet: Puppet;
  readonly #ports = new Map<string, number>();

  /** With an mptcpd that is not started yet. */
  static async create(test: Closer | undefined, side: Side): Promise<ManagedHost> {
    const lab = await Lab.create(test);
    const { client, server, paths } = await twoPaths(lab);
    for (const host of [client, server]) await host.ip("mptcp limits set subflows 8 add_addr_accepted 8");
    // Below those that the server's kernel chooses from: a port tells a connection, whichever end's it is.
    await client.sysctl("net.ipv4.ip_local_port_range", "20000 32767");
    return new ManagedHost(lab, side, client, server, paths);
  }

  static async started(test: Closer | undefined, side: Side): Promise<ManagedHost> {
    const managed = await ManagedHost.create(test, side);
    await managed.start();
    return managed;
  }

  private constructor(lab: Lab, side: Side, client: Host, server: Host, paths: readonly [Cable, Cable]) {
    this.side = side;
    this.client = client;
    this.server = server;
    this.paths = paths;
    this.clientPeer = new Peer(client);
    this.serverPeer = new Peer(server);
    this.machine = new Machine(lab, side === "client" ? client : server);
    this.puppet = new Puppet(this.machine);
  }

  /** The host without mptcpd. */
  get other(): Host {
    return this.side === "client" ? this.server : this.client;
  }

  /** The processes that talk, in the host with mptcpd and in the other. */
  get here(): Peer {
    return this.side === "client" ? this.clientPeer : this.serverPeer;
  }

  get there(): Peer {
    return this.side === "client" ? this.serverPeer : this.clientPeer;
  }

  async start(): Promise<void> {
    await this.machine.start({ config: this.puppet.config });
  }

  /** A connection with a subflow between the second addresses of both hosts, which the other has made. */
  async joinedByPeer(family: Family, { backup = false } = {}): Promise<JoinedConnection> {
    await this.other.sysctl("net.mptcp.pm_type", 1);
    const connection = await this.connect(family);
    const { token, socket } = connection;
    const [ours, theirs] = [family[this.side][1], family[this.side === "client" ? "server" : "client"][1]];
    const port = await this.#openPort(connection, ours);
    const { token: theirToken } = await this.there.connectionAt(socket.port);
    await this.there.join({ token: theirToken, from: theirs, to: ours, port, id: 9, backup });
    const [, joined] = await this.puppet.told("newSubflow", ([one]) => one.token === token);
    return { ...connection, port, joined, theirToken };
  }

  /** At which this host takes subflows: the server's own, or one that the client has announced. */
  async #openPort({ token, port }: ManagedConnection, address: string): Promise<number> {
    if (this.side === "server") return port;
    const made = await this.puppet.with(
      token,
      (pm, connection, own) => pm.announce(connection, { address: own, port: 0, listen: true }),
      address,
    );
    return made.port;
  }

  /** A connection that the puppet knows to be established, by its token in the host with mptcpd. */
  async connect({ any, target }: Pick<Family, "any" | "target">): Promise<ManagedConnection> {
    const port = this.#ports.get(any) ?? (await this.serverPeer.listen({ address: any, port: 0 }));
    this.#ports.set(any, port);
    const socket = await this.clientPeer.connect({ address: target, port });
    const [{ token }] = await this.puppet.told(
      "connectionEstablished",
      ([{ local, remote }]) => local.port === socket.port || remote.port === socket.port,
    );
    return { token, socket, port };
  }
}

export type JoinedConnection = ManagedConnection & {
  readonly joined: Subflow;
  /** The token of the connection in the other host. */
  readonly theirToken: number;
};

export type ManagedConnection = {
  /** In the host with mptcpd. */
  readonly token: number;
  /** The client's end. */
  readonly socket: OpenSocket;
  /** The server's; or where the peer has joined. */
  readonly port: number;
};
