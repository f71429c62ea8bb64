import { type Endpoint, endpointFlags, type Limits, type NewEndpoint } from "../kernel/mptcp-pm.ts";
import { errnoOf, KernelError } from "../netlink/errors.ts";
import type { EndpointCommands } from "../plugins/services.ts";

/** The kernel's endpoints and limits, without the subflows that it would make of them. */
export class SimulatedEndpoints implements EndpointCommands {
  readonly #list: Endpoint[] = [];
  #limits: Limits = { subflows: 2, addAddrAccepted: 0 };
  #lastId = 0;

  async dumpEndpoints(): Promise<Endpoint[]> {
    return [...this.#list];
  }

  async getEndpoint(id: number): Promise<Endpoint | undefined> {
    return this.#list.find((endpoint) => endpoint.id === id);
  }

  async addEndpoint({ address, flags, id, port = 0, ifIndex = 0 }: NewEndpoint): Promise<void> {
    const what = `add endpoint ${address}`;
    const isTaken = (other: Endpoint): boolean =>
      other.id === id || (other.address === address && other.port === port);
    if (this.#list.some(isTaken)) throw refusal(what, "EEXIST", "address already in use");
    this.#list.push({ id: id ?? ++this.#lastId, address, port, flags, ifIndex });
  }

  async changeEndpoint(change: Parameters<EndpointCommands["changeEndpoint"]>[0]): Promise<void> {
    const at = this.#list.findIndex((endpoint) =>
      "id" in change ? endpoint.id === change.id : endpoint.address === change.address,
    );
    const endpoint = this.#list[at];
    if (endpoint === undefined) throw refusal("change endpoint", "EINVAL", "address not found");
    const kept = endpoint.flags.without("backup", "fullmesh").value;
    this.#list[at] = { ...endpoint, flags: endpointFlags.from(kept | change.flags.value) };
  }

  async deleteEndpoint({ id }: { id: number }): Promise<void> {
    const at = this.#list.findIndex((endpoint) => endpoint.id === id);
    if (at < 0) throw refusal(`delete endpoint id ${id}`, "EINVAL", "address not found");
    this.#list.splice(at, 1);
  }

  async flushEndpoints(): Promise<void> {
    this.#list.length = 0;
  }

  async getLimits(): Promise<Limits> {
    return this.#limits;
  }

  async setLimits(limits: Limits): Promise<void> {
    this.#limits = limits;
  }
}

function refusal(what: string, code: string, message: string): KernelError {
  return new KernelError(what, errnoOf(code), { message });
}
