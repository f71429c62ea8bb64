import { ipFamily, mapped } from "../../kernel/netlink/ip.ts";
import { peerIdOf, type SimulatedConnection, type SimulatedSubflow, subflowEvent } from "./connection.ts";
import type { SimulatedKernel } from "./kernel.ts";
import { checked } from "./network.ts";

/** The other end of a simulated connection: does what peers do, and knows what reached it. */
export class SimulatedPeer {
  readonly token: number;
  readonly #connection: SimulatedConnection;
  readonly #kernel: SimulatedKernel;

  constructor(kernel: SimulatedKernel, connection: SimulatedConnection) {
    this.#kernel = kernel;
    this.#connection = connection;
    this.token = connection.token;
  }

  /** The established subflows, "10.0.2.2 > 10.0.9.9", with " backup" where this host asked for that; sorted. */
  get subflows(): string[] {
    return this.#connection.subflows
      .filter(({ established }) => established)
      .map(({ local, remote, localBackup }) => {
        const port = remote.port === this.#connection.remote.port ? "" : ` port ${remote.port}`;
        return `${local.address} > ${remote.address}${port}${localBackup ? " backup" : ""}`;
      })
      .sort();
  }

  /** The addresses that this host has announced, "10.0.2.2", with " port 80" if they have one; sorted. */
  get announced(): string[] {
    return this.#connection.announced
      .map(({ address, port }) => (port === 0 ? address : `${address} port ${port}`))
      .sort();
  }

  /** Confirms the handshake, if that was held back. */
  establish(): void {
    this.#connection.established = true;
    this.#kernel.tellOpening("established", this.#connection);
  }

  /** Announces an address (ADD_ADDR); the port is that of the initial subflow, if none is given. */
  announce(id: number, address: string, port = this.#connection.remote.port): void {
    const { token } = this;
    checked(address);
    if (!isWithin(id, 0, 255)) throw new Error(`${id} is no address id: allowed are 0 to 255`);
    if (!isWithin(port, 0, 65_535)) throw new Error(`${port} is no port: allowed are 0 to 65535`);
    this.#connection.peerIds.set(address, id);
    if (!this.#isHeard) return;
    this.#kernel.tell({ event: "announced", token, remoteId: id, remoteAddress: address, remotePort: port });
  }

  /** Withdraws an address (REMOVE_ADDR), which ends the subflows to it. */
  withdraw(id: number): void {
    const { peerIds } = this.#connection;
    for (const [address, known] of peerIds) if (known === id) peerIds.delete(address);
    if (!this.#isHeard) return;
    this.#kernel.tell({ event: "removed", token: this.token, remoteId: id });
    for (const subflow of this.#connection.subflows)
      if (subflow.remoteId === id) this.#kernel.closeSubflow(this.#connection, subflow);
  }

  /** Joins from an address of the peer's to one of this host's. */
  join({ from, to }: { readonly from: string; readonly to: string }): void {
    const { ids, local, socketFamily } = this.#connection;
    for (const address of [from, to]) checked(address);
    // A subflow is of its listener's kind, which is that of the connection.
    const isMapped = socketFamily === 6 && ipFamily(to) === 4;
    // The kernel looks at the first address before its list (net/mptcp/pm.c, mptcp_pm_get_local_id).
    const localId = to === local.address ? 0 : ids.idOf(isMapped ? mapped(to) : to);
    const remoteId = peerIdOf(this.#connection, from);
    const subflow: SimulatedSubflow = {
      local: { address: to, port: local.port },
      remote: { address: from, port: this.#kernel.freePort() },
      ...{ localId, remoteId, ifIndex: 0, initial: false, joined: true, mapped: isMapped },
      ...{ established: true, localBackup: false, remoteBackup: false },
    };
    this.#connection.subflows.push(subflow);
    this.#kernel.tell(subflowEvent("subflowEstablished", this.#connection, subflow));
  }

  /** Breaks the subflows from an address of this host, by a reset unless another error is given. */
  breakSubflows(from: string, error = "ECONNRESET"): void {
    for (const subflow of this.#from(from)) this.#kernel.closeSubflow(this.#connection, subflow, error);
  }

  /** Closes the subflows from an address of this host in good order. */
  closeSubflows(from: string): void {
    for (const subflow of this.#from(from)) this.#kernel.closeSubflow(this.#connection, subflow);
  }

  /** Asks for the subflows from an address of this host to be backup, or no longer so (MP_PRIO). */
  setBackup(from: string, backup: boolean): void {
    for (const subflow of this.#from(from)) {
      subflow.remoteBackup = backup;
      this.#kernel.tell(subflowEvent("subflowPriority", this.#connection, subflow));
    }
  }

  /** Ends the connection. */
  close(): void {
    this.#kernel.connections.delete(this.token);
    this.#connection.subflows = [];
    this.#kernel.tell({ event: "closed", token: this.token });
  }

  /** What a peer says comes by a subflow. */
  get #isHeard(): boolean {
    return this.#connection.subflows.some(({ established }) => established);
  }

  #from(address: string): SimulatedSubflow[] {
    const found = this.#connection.subflows.filter((subflow) => subflow.local.address === address);
    if (found.length === 0) throw new Error(`the connection has no subflow from ${address}`);
    return found;
  }
}

function isWithin(number: number, least: number, most: number): boolean {
  return Number.isInteger(number) && number >= least && number <= most;
}
