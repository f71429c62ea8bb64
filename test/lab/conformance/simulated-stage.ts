import type { MptcpEvent } from "../../../src/kernel/mptcp-pm.ts";
import { VirtualClock } from "../../../src/path-managers/simulation/clock.ts";
import type { SimulatedConnection } from "../../../src/path-managers/simulation/connection.ts";
import { SimulatedKernel } from "../../../src/path-managers/simulation/kernel.ts";
import { SimulatedPeer } from "../../../src/path-managers/simulation/peer.ts";
import {
  type ConnectionStep,
  type Ends,
  hasAddress,
  loopback,
  type Opening,
  type PathManager,
  type Stage,
} from "./script.ts";

/** Milliseconds of virtual time in which all that follows of a step has happened. */
const LONG = 1000;
const LISTENER = 50_001;

/** The simulated kernel, on a host that has all loopback addresses, and fd00::1 to fd00::9. */
export class SimulatedStage implements Stage {
  readonly #clock = new VirtualClock();
  readonly #kernel = new SimulatedKernel(this.#clock, {
    stateOf: (address) => (hasAddress(address) ? "open" : "missing"),
  });
  readonly #events: MptcpEvent[] = [];
  #connection: SimulatedConnection | undefined;

  constructor() {
    const event = (event: MptcpEvent): void => void this.#events.push(event);
    this.#kernel.events({ event, overrun: () => undefined, error: () => undefined });
  }

  async order<T>(command: (pm: PathManager) => Promise<T>): Promise<T> {
    const [answer] = await Promise.all([command(this.#kernel), this.#clock.advance(0)]);
    return answer;
  }

  async open({ side, sockets, pathManager }: Opening): Promise<Ends> {
    const address = loopback(sockets);
    const client = { address, port: this.#kernel.freePort() };
    const server = { address, port: LISTENER };
    const serverSide = side === "server";
    const connection = this.#kernel.open({
      ...(serverSide ? { local: server, remote: client } : { local: client, remote: server }),
      ...{ serverSide, denyJoinId0: false, pathManager, socketFamily: sockets === "ipv4" ? 4 : 6 },
    });
    this.#connection = connection;
    this.#kernel.answer = (_, { port }) => (port === server.port && !serverSide ? "accept" : "refuse");
    this.#kernel.tellOpening("created", connection);
    if (serverSide) this.#peer.establish();
    return connection;
  }

  async act(step: ConnectionStep): Promise<void> {
    const peer = this.#peer;
    const from = "from" in step ? step.from : undefined;
    const isThere = this.#connection?.subflows.some(({ local }) => local.address === from) === true;
    switch (step.do) {
      case "establish":
        return this.#connection?.established ? undefined : peer.establish();
      case "peer announces":
        return peer.announce(step.id, step.address, step.port);
      case "peer withdraws":
        return peer.withdraw(step.id);
      case "peer joins":
        this.#connection?.peerIds.set(step.from, step.id);
        return peer.join(step);
      case "peer sets backup":
        return isThere ? peer.setBackup(step.from, step.backup) : undefined;
      case "peer closes":
        return isThere ? peer.closeSubflows(step.from) : undefined;
      case "close":
        return peer.close();
      default:
    }
  }

  async happened(): Promise<MptcpEvent[]> {
    await this.#clock.advance(LONG);
    return this.#events.splice(0);
  }

  outlines() {
    return this.#kernel.dumpOutlines();
  }

  async close(): Promise<void> {
    return undefined;
  }

  get #peer(): SimulatedPeer {
    if (this.#connection === undefined) throw new Error("there is no connection");
    return new SimulatedPeer(this.#kernel, this.#connection);
  }
}
