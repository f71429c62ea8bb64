import type { IdentifiedAddress, IdKernel } from "../../../../src/control/connections/address-ids.ts";
import type { AnnouncingKernel } from "../../../../src/control/connections/announcements.ts";
import type { EventOfConnection } from "../../../../src/control/connections/from-events.ts";
import type { SubflowKernel } from "../../../../src/control/connections/subflows.ts";
import type { Endpoint, SubflowKey } from "../../../../src/kernel/mptcp-pm.ts";
import { NetlinkError } from "../../../../src/kernel/netlink/errors.ts";
import { AddressList } from "../../../../src/path-managers/simulation/address-list.ts";
import type { SimulatedConnection } from "../../../../src/path-managers/simulation/connection.ts";
import { refusal as refusalOf } from "../../../../src/path-managers/simulation/endpoints.ts";
import { SimulatedKernel } from "../../../../src/path-managers/simulation/kernel.ts";
import { takeEvent } from "../../../../src/path-managers/simulation/take-event.ts";
import { endOf, TOKEN } from "./builders.ts";

/** Carries out what is due now, and never what takes time: so peers do not answer. */
export const instantly = {
  schedule(milliseconds: number, callback: () => void) {
    if (milliseconds === 0) callback();
    return { cancel: () => undefined };
  },
};

/** The port of the first subflow that the kernel makes, as the events of builders.ts have it. */
const FIRST_PORT = 50_000;

/** The simulated kernel's commands for connections, with a journal; they can be made to fail. */
export class CommandJournal implements SubflowKernel, AnnouncingKernel, IdKernel {
  /** Since Linux 6.10. */
  showsList = true;
  /** Called before each command; throwing makes it fail. */
  beforeCommand: (command: string) => void | Promise<void> = () => undefined;
  /** Called when a command was carried out, before its answer comes. */
  afterCommand: () => void = () => undefined;
  readonly #kernel = new SimulatedKernel(instantly, { stateOf: () => "open" }, FIRST_PORT);
  #commands: string[] = [];

  /** The commands since the last call. */
  commands(): string[] {
    return this.#commands.splice(0);
  }

  /** Lets the kernel live through what the tests tell of it. */
  happen(event: EventOfConnection): void {
    takeEvent(this.#kernel, event);
  }

  /** Loses all subflows, as if the kernel had ended them. */
  loseSubflows(): void {
    for (const connection of this.#kernel.connections.values()) connection.subflows = [];
  }

  /** The addresses that the kernel has listed of the connection. */
  get list(): readonly IdentifiedAddress[] {
    return Array.from(this.#connection.ids, ({ address, port, id }) => ({ address, port, id }));
  }

  /** As peers and programs make it, by what they do meanwhile. */
  set list(list: readonly IdentifiedAddress[]) {
    const ids = new AddressList();
    for (const entry of list) ids.enter(entry);
    this.#kernel.connections.set(TOKEN, { ...this.#connection, ids });
  }

  async createSubflow(given: Parameters<SubflowKernel["createSubflow"]>[0]): Promise<void> {
    const { local, remote, flags } = given;
    const device = local.ifIndex === undefined ? "" : ` dev ${local.ifIndex}`;
    const backup = flags === undefined ? "" : ` ${flags}`;
    await this.#give(`create ${local.address} > ${shown(remote)} id ${local.id}${device}${backup}`, () =>
      this.#kernel.createSubflow(given),
    );
  }

  async destroySubflow(given: SubflowKey): Promise<void> {
    await this.#give(`destroy ${shown(given.local)} > ${shown(given.remote)}`, () =>
      this.#kernel.destroySubflow(given),
    );
  }

  async setSubflowFlags(given: Parameters<SubflowKernel["setSubflowFlags"]>[0]): Promise<void> {
    const { local, remote, flags } = given;
    await this.#give(`set ${shown(local)} > ${shown(remote)} ${flags.toString() || "plain"}`, () =>
      this.#kernel.setSubflowFlags(given),
    );
  }

  async announce(given: Parameters<AnnouncingKernel["announce"]>[0]): Promise<void> {
    const { address, port, id, ifIndex } = given;
    const place = port === undefined ? address : `${address}:${port}`;
    const device = ifIndex === undefined ? "" : ` dev ${ifIndex}`;
    await this.#give(`announce ${place} id ${id}${device}`, () => this.#kernel.announce(given));
  }

  async remove(given: Parameters<AnnouncingKernel["remove"]>[0]): Promise<void> {
    await this.#give(`remove ${given.id}`, () => this.#kernel.remove(given));
  }

  async dumpEndpoints(token?: number): Promise<Endpoint[]> {
    return await this.#give("list", () => {
      if (!this.showsList) throw new NetlinkError("EOPNOTSUPP", "this kernel does not list addresses");
      return this.#kernel.dumpEndpoints(token);
    });
  }

  async #give<T>(command: string, carryOut: () => Promise<T>): Promise<T> {
    this.#commands.push(command);
    // As the real kernel's, its events come after the call.
    await undefined;
    await this.beforeCommand(command);
    const answer = await carryOut();
    this.afterCommand();
    return answer;
  }

  get #connection(): SimulatedConnection {
    const connection = this.#kernel.connections.get(TOKEN);
    if (connection === undefined) throw new Error("the kernel has no connection yet");
    return connection;
  }
}

/** EINVAL with the kernel's words. */
export function refusal(what: string, message: string) {
  return refusalOf(what, "EINVAL", message);
}

function shown({ address, port = 0 }: { readonly address: string; readonly port?: number }): string {
  return endOf({ address, port });
}
