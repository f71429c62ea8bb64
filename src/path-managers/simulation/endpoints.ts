import type { EndpointKernel } from "../../control/endpoints/endpoint-table.ts";
import { type Endpoint, endpointFlags, type Limits, type NewEndpoint } from "../../kernel/mptcp-pm.ts";
import { errnoOf, KernelError } from "../../kernel/netlink/errors.ts";

/** MPTCP_PM_ADDR_MAX and MPTCP_SUBFLOWS_MAX. */
const MOST = 8;
const LARGEST_ID = 255;

/** The kernel's endpoints and limits (net/mptcp/pm_kernel.c), without the subflows that it would make of them. */
export class SimulatedEndpoints implements EndpointKernel {
  readonly #list: Endpoint[] = [];
  #limits: Limits = { subflows: 2, addAddrAccepted: 0 };
  #nextId = 1;

  async dumpEndpoints(): Promise<Endpoint[]> {
    return [...this.#list];
  }

  async getEndpoint(id: number): Promise<Endpoint | undefined> {
    return this.#list.find((endpoint) => endpoint.id === id);
  }

  async addEndpoint({ address, flags, id, port = 0, ifIndex = 0 }: NewEndpoint): Promise<void> {
    const what = `add endpoint ${address}`;
    if (flags.has("signal") && flags.has("fullmesh"))
      throw refusal(what, "EINVAL", "flags mustn't have both signal and fullmesh");
    if (port !== 0 && (!flags.has("signal") || flags.has("subflow")))
      throw refusal(what, "EINVAL", "flags must have signal and not subflow when using port");
    const words = "too many addresses or duplicate one";
    if (this.#list.length >= MOST) throw refusal(what, "ERANGE", `${words}: -34`);
    if (this.#list.some((other) => other.id === id)) throw refusal(what, "EBUSY", `${words}: -16`);
    if (this.#list.some((other) => other.address === address && other.port === port))
      throw refusal(what, "EEXIST", `${words}: -17`);
    const given = id ?? this.#freeId();
    this.#nextId = Math.max(this.#nextId, given);
    this.#list.push({ id: given, address, port, flags, ifIndex });
    this.#list.sort((a, b) => a.id - b.id);
  }

  /** The first one from the largest that was given so far. */
  #freeId(): number {
    const isTaken = (id: number): boolean => this.#list.some((other) => other.id === id);
    let id = this.#nextId === LARGEST_ID ? 1 : this.#nextId;
    while (isTaken(id)) id = (id % LARGEST_ID) + 1;
    return id;
  }

  async changeEndpoint(change: Parameters<EndpointKernel["changeEndpoint"]>[0]): Promise<void> {
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
    this.#nextId = 1;
    this.#limits = { ...this.#limits, addAddrAccepted: 0 };
  }

  async getLimits(): Promise<Limits> {
    return this.#limits;
  }

  async setLimits(limits: Limits): Promise<void> {
    if (limits.subflows > MOST || limits.addAddrAccepted > MOST)
      throw refusal("set limits", "EINVAL", `limit greater than maximum (${MOST})`);
    this.#limits = limits;
  }
}

function refusal(what: string, code: string, message: string): KernelError {
  return new KernelError(what, errnoOf(code), { message });
}
