import { existsSync } from "node:fs";
import { join } from "node:path";
import type { SubflowFlag } from "../../src/kernel/sockets.ts";
import { checkout } from "../../src/lab/kit/checkout.ts";
import type { Host } from "../../src/lab/kit/host.ts";
import type { LabProcess } from "../../src/lab/kit/lab-process.ts";
import { defaultDeadlineMs, waitFor, within } from "../../src/lab/kit/wait.ts";

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
  readonly handle: number;
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

/** A process in a host that opens and takes MPTCP connections, and says what the kernel there knows of them. */
export class Peer {
  readonly #process: LabProcess;
  #requests = 0;

  constructor(host: Host) {
    const { MPTCPD_ADDON: addon = join(checkout, "dist/addon.node") } = process.env;
    const env = existsSync(addon) ? { MPTCPD_ADDON: addon } : {};
    this.#process = host.spawn(process.execPath, [join(import.meta.dirname, "peer-main.js")], { env });
  }

  /** Takes connections and sends back what comes by them. Gives the port. */
  listen(request: ListenRequest): Promise<number> {
    return this.#ask("listen", request);
  }

  /** Opens a connection; something went both ways by it when this resolves. */
  async connect(request: Omit<ConnectRequest, "count">): Promise<OpenSocket> {
    const [socket] = await this.connectMany({ ...request, count: 1 });
    if (socket === undefined) throw new Error("no connection was made");
    return socket;
  }

  connectMany(request: ConnectRequest): Promise<OpenSocket[]> {
    return this.#ask("connect", request, 60_000);
  }

  /** Sends something and waits until it is back: the connection is alive. */
  echo({ handle }: OpenSocket): Promise<void> {
    return this.#ask("echo", handle);
  }

  /** Ends its side of a connection in good order. */
  end({ handle }: OpenSocket): Promise<void> {
    return this.#ask("end", handle);
  }

  close({ handle }: OpenSocket): Promise<void> {
    return this.#ask("close", handle);
  }

  /** Closes all connections that it has opened or taken. */
  closeAll(): Promise<void> {
    return this.#ask("closeAll", null);
  }

  stopListening(port: number): Promise<void> {
    return this.#ask("stopListening", port);
  }

  /** How many connections it has taken and not closed. */
  accepted(): Promise<number> {
    return this.#ask("accepted", null);
  }

  /** All MPTCP connections of the host. */
  connections(): Promise<KernelConnection[]> {
    return this.#ask("connections", null);
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
  join(request: JoinRequest): Promise<void> {
    return this.#ask("join", request);
  }

  /** Ends such a subflow. */
  leave(request: LeaveRequest): Promise<void> {
    return this.#ask("leave", request);
  }

  /** The kernel's list of addresses and ids of a connection of the userspace path manager, as "1 10.0.2.2", by id. */
  async ids(token: number): Promise<string[]> {
    const list: { id: number; address: string; port: number }[] = await this.#ask("ids", token);
    return list
      .toSorted((a, b) => a.id - b.id)
      .map(({ id, address, port }) => `${id} ${address}${port === 0 ? "" : ` port ${port}`}`);
  }

  kill(): Promise<unknown> {
    return this.#process.kill();
  }

  async #ask<T>(method: string, argument: unknown, deadlineMs = defaultDeadlineMs): Promise<T> {
    const number = ++this.#requests;
    const from = this.#process.lines.length;
    this.#process.stdin.write(`${JSON.stringify([number, method, argument])}\n`);
    const answer = await within(`a peer to ${method}`, this.#answerTo<T>(number, from), deadlineMs);
    if (answer.error !== undefined) throw new Error(`${method}: ${answer.error}`);
    return answer.result;
  }

  async #answerTo<T>(number: number, from: number): Promise<Answer<T>> {
    const line = await this.#process.waitForLine(new RegExp(`^\\[${number},`), { from, deadlineMs: 120_000 });
    const [, answer]: [number, Answer<T>] = JSON.parse(line.input ?? "");
    return answer;
  }
}

type Answer<T = unknown> = { readonly result: T; readonly error?: string };
