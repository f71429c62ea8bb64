import type { MptcpEvent } from "../../../../src/kernel/mptcp-pm.ts";
import { VirtualClock } from "../../../../src/path-managers/simulation/clock.ts";
import type { SimulatedConnection } from "../../../../src/path-managers/simulation/connection.ts";
import { SimulatedKernel } from "../../../../src/path-managers/simulation/kernel.ts";
import { SimulatedNetwork } from "../../../../src/path-managers/simulation/network.ts";
import { SimulatedPeer } from "../../../../src/path-managers/simulation/peer.ts";

/** A simulated kernel on its own, without path managers: what they would ask of it, and the events that it tells. */
export class KernelBench {
  readonly clock = new VirtualClock();
  readonly network = new SimulatedNetwork();
  readonly kernel = new SimulatedKernel(this.clock, this.network);
  readonly events: MptcpEvent[] = [];

  constructor() {
    this.network.plug("eth0", { addresses: ["10.0.1.2", "fd00:1::2"] });
    this.network.plug("eth1", { addresses: ["10.0.2.2", "fd00:2::2"] });
    this.kernel.events({
      event: (event) => this.events.push(event),
      overrun: () => undefined,
      error: () => undefined,
    });
  }

  /** A connection that this host has made, and its peer. */
  open(local = "10.0.1.2", remote = "10.0.9.9"): { connection: SimulatedConnection; peer: SimulatedPeer } {
    const connection = this.kernel.open({
      local: { address: local, port: 40000 },
      remote: { address: remote, port: 443 },
      serverSide: false,
      denyJoinId0: false,
    });
    connection.established = true;
    return { connection, peer: new SimulatedPeer(this.kernel, connection) };
  }

  /** Gives a command, and lets so much time pass that it takes effect. */
  async order<T>(command: Promise<T>, milliseconds = 0): Promise<T> {
    const [result] = await Promise.all([command, this.clock.advance(milliseconds)]);
    return result;
  }

  /** Asks for a subflow; it is not there before the peer has answered. */
  create({ token }: SimulatedConnection, local: string, id: number, remote = "10.0.9.9"): Promise<void> {
    const ends = { local: { address: local, id }, remote: { address: remote, port: 443 } };
    return this.order(this.kernel.createSubflow({ token, ...ends }));
  }
}

/** What the kernel has listed of a connection, "1 10.0.2.2" or "2 10.0.2.2 port 80", in its order. */
export function listed({ ids }: SimulatedConnection): string[] {
  return Array.from(ids, ({ id, address, port }) => `${id} ${address}${port === 0 ? "" : ` port ${port}`}`);
}
