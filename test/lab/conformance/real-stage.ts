import { once } from "node:events";
import { createServer, type Server, Socket } from "node:net";
import { endpointFlags, type MptcpEvent, MptcpPm } from "../../../src/kernel/mptcp-pm.ts";
import { mptcpConnect, mptcpListen } from "../../../src/kernel/native-sockets.ts";
import type { Subscription } from "../../../src/kernel/netlink/connection.ts";
import { mapped } from "../../../src/kernel/netlink/ip.ts";
import { type ConnectionOutline, Sockets } from "../../../src/kernel/sockets.ts";
import type { Host } from "../../../src/lab/kit/host.ts";
import { waitFor } from "../../../src/lab/kit/wait.ts";
import {
  type ConnectionStep,
  type Ends,
  loopback,
  type Opening,
  ownAddresses,
  type PathManager,
  type Stage,
} from "./script.ts";

/** The connection of a script: both programs, and the peer's side as the script sees its own. */
interface Running {
  readonly ends: Ends;
  readonly peer: Ends;
  readonly client: Socket;
  readonly server: Server;
  readonly accepted: Socket;
}

/** Milliseconds to wait for events that are expected; what does not come is missing. */
const PATIENCE = 2000;

/** The kernel of this machine, in the network namespace of this process, with connections from the host to itself. */
export class RealStage implements Stage {
  readonly #host: Host;
  readonly #pm: MptcpPm;
  readonly #sockets: Sockets;
  readonly #subscription: Subscription;
  /** Since the last call of `happened`, and all of the script. */
  #events: MptcpEvent[] = [];
  #all: MptcpEvent[] = [];
  #running: Running | undefined;

  static async create(host: Host): Promise<RealStage> {
    for (const address of ownAddresses.filter((one) => one !== "::1"))
      await host.ip(`address replace ${address}/128 dev lo nodad`);
    const stage = new RealStage(host, await MptcpPm.open(), await Sockets.open());
    await stage.#reset();
    return stage;
  }

  private constructor(host: Host, pm: MptcpPm, sockets: Sockets) {
    this.#host = host;
    this.#pm = pm;
    this.#sockets = sockets;
    this.#subscription = pm.events({
      event: (event) => {
        this.#events.push(event);
        this.#all.push(event);
      },
      overrun: () => this.#fail(new Error("events were lost")),
      error: (error) => this.#fail(error),
    });
  }

  end(): void {
    this.#subscription.close();
    this.#pm.close();
    this.#sockets.close();
  }

  #fail(error: unknown): void {
    throw error;
  }

  order<T>(command: (pm: PathManager) => Promise<T>): Promise<T> {
    return command(this.#pm);
  }

  async open({ side, sockets, pathManager }: Opening): Promise<Ends> {
    await this.#host.sysctl("net.mptcp.pm_type", pathManager === "userspace" ? 1 : 0);
    const spell = sockets === "dual-stack" ? mapped : (address: string): string => address;
    const address = spell(loopback(sockets));
    const { fd, port } = mptcpListen({ address: sockets === "ipv4" ? "0.0.0.0" : "::", port: 0 });
    const server = createServer();
    server.listen({ fd });
    const accepting = once(server, "connection");
    const client = new Socket({ fd: await mptcpConnect({ address, port }) });
    const [accepted]: Socket[] = await accepting;
    if (accepted === undefined) throw new Error("nothing was accepted");
    for (const socket of [client, accepted]) socket.on("error", () => undefined);
    const ends = await this.#endsOf(client.localPort ?? 0, port);
    const [own, peer] = side === "client" ? ends : ends.toReversed();
    if (own === undefined || peer === undefined) throw new Error("the connection is not there");
    this.#running = { ends: own, peer, client, server, accepted };
    return own;
  }

  /** Of the client's side, and of the server's. */
  #endsOf(clientPort: number, serverPort: number): Promise<Ends[]> {
    return waitFor("both sides of the connection", async () => {
      const outlines = await this.#sockets.dumpOutlines();
      const sides = [
        [clientPort, serverPort],
        [serverPort, clientPort],
      ].flatMap(([from, to]) =>
        outlines.filter(({ local, remote }) => local.port === from && remote.port === to),
      );
      return sides.length === 2 ? sides : undefined;
    });
  }

  async act(step: ConnectionStep): Promise<void> {
    const { peer, client, accepted } = this.#connection;
    const { token } = peer;
    switch (step.do) {
      case "establish":
        client.write("x");
        await once(accepted, "data");
        accepted.write("x");
        await once(client, "data");
        return;
      case "announce":
        return await this.#peerHears(
          (event) => event.event === "announced" && event.remoteId === step.local.id,
        );
      case "withdraw":
        return await this.#peerHears((event) => event.event === "removed" && event.remoteId === step.id);
      case "set backup":
        return await this.#peerHears((event) => event.event === "subflowPriority");
      case "peer announces": {
        const { id, address, port } = step;
        return await this.#pm.announce({ token, id, address, ...(port !== undefined && { port }) });
      }
      case "peer withdraws":
        return await this.#pm.remove({ token, id: step.id });
      case "peer joins": {
        const { from, id, to } = step;
        const local = { address: from, id };
        return await this.#pm.createSubflow({
          token,
          local,
          remote: { address: to, port: peer.remote.port },
        });
      }
      case "peer sets backup": {
        const flags = endpointFlags.of(...(step.backup ? (["backup"] as const) : []));
        for (const ends of await this.#towards(step.from)) await this.#pm.setSubflowFlags({ ...ends, flags });
        return;
      }
      case "peer closes":
        for (const ends of await this.#towards(step.from)) await this.#pm.destroySubflow(ends);
        return;
      case "close":
        client.destroy();
        accepted.destroy();
        return;
      default:
        throw new Error(`${step.do} is a command`);
    }
  }

  /** Nothing reaches a peer when no subflow is left. */
  async #peerHears(fits: (event: MptcpEvent) => boolean): Promise<void> {
    const { token } = this.#connection.peer;
    const connection = (await this.#sockets.dumpOutlines()).find((one) => one.token === token);
    if (!connection?.subflows.some(({ state }) => state === "established")) return;
    await waitFor("the peer to hear of it", () =>
      this.#events.some((event) => "token" in event && event.token === token && fits(event)),
    );
  }

  /** The subflows to an address of the script's side, as the peer's socket spells them. */
  async #towards(address: string) {
    const { token } = this.#connection.peer;
    const connection = (await this.#sockets.dumpOutlines()).find((one) => one.token === token);
    const found = connection?.subflows.filter(({ remote }) => remote.address === address) ?? [];
    return found.map(({ local, remote, socketFamily }) => {
      const spell = ({ address, port }: typeof local) => ({
        address: socketFamily === 6 ? mapped(address) : address,
        port,
      });
      return { token, local: spell(local), remote: spell(remote) };
    });
  }

  async happened(expected: number): Promise<MptcpEvent[]> {
    const isOurs = (event: MptcpEvent): boolean =>
      "token" in event
        ? event.token === this.#running?.ends.token
        : event.event !== "unknown" && event.localPort < 32_768;
    const deadline = Date.now() + PATIENCE;
    await waitFor(
      "the events",
      () => this.#events.filter(isOurs).length >= expected || Date.now() > deadline,
    );
    await this.#flushEvents();
    return this.#events.splice(0);
  }

  /** Waits for an event of our own, which comes after all that were sent before. */
  async #flushEvents(): Promise<void> {
    const server = createServer();
    const { fd, port } = mptcpListen({ address: "127.0.0.1", port: 0 });
    server.listen({ fd });
    await waitFor("an event of our own", () =>
      this.#events.some((event) => event.event === "listenerCreated" && event.localPort === port),
    );
    server.close();
  }

  outlines(): Promise<ConnectionOutline[]> {
    return this.#sockets.dumpOutlines();
  }

  async close(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    if (running !== undefined) {
      running.client.destroy();
      running.accepted.destroy();
      running.server.close();
      const isClosed = (token: number): boolean =>
        this.#all.some((event) => event.event === "closed" && event.token === token);
      await waitFor(
        "the connection to end",
        () => isClosed(running.ends.token) && isClosed(running.peer.token),
      );
    }
    await this.#reset();
  }

  async #reset(): Promise<void> {
    await this.#pm.flushEndpoints();
    await this.#pm.setLimits({ subflows: 2, addAddrAccepted: 0 });
    await this.#host.sysctl("net.mptcp.pm_type", 0);
    await this.#flushEvents();
    this.#events = [];
    this.#all = [];
  }

  get #connection(): Running {
    if (this.#running === undefined) throw new Error("there is no connection");
    return this.#running;
  }
}
