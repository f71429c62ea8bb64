import type { Endpoint, NewEndpoint } from "../../kernel/mptcp-pm.ts";
import type { KernelError } from "../../kernel/netlink/errors.ts";
import type { EndpointCommands } from "../runtime/endpoint-commands.ts";
import { refusal, type SimulatedEndpoints } from "./endpoints.ts";
import type { SimulatedKernel } from "./kernel.ts";

/**
 * What mptcpd does with a path manager's commands for endpoints (endpoints/commands.ts), on the simulated kernel: only
 * what was made by such a command, or was adopted, is changed or deleted.
 */
export class SimulatedDesk implements EndpointCommands {
  readonly #kernel: SimulatedEndpoints;
  readonly #inTurn: SimulatedKernel["inTurn"];
  /** As "ID ADDRESS PORT". */
  readonly #own = new Set<string>();

  constructor(kernel: SimulatedKernel) {
    this.#kernel = kernel.endpoints;
    this.#inTurn = (action) => kernel.inTurn(action);
  }

  /** Makes an endpoint mptcpd's, as `mptcpctl adopt` does. */
  async adopt(id: number): Promise<void> {
    const endpoint = await this.#kernel.getEndpoint(id);
    if (endpoint === undefined) throw new Error(`the simulated kernel has no endpoint ${id}`);
    this.#own.add(keyOf(endpoint));
  }

  dumpEndpoints() {
    return this.#inTurn(() => this.#kernel.dumpEndpoints());
  }

  getEndpoint(id: number) {
    return this.#inTurn(() => this.#kernel.getEndpoint(id));
  }

  getLimits() {
    return this.#inTurn(() => this.#kernel.getLimits());
  }

  setLimits(limits: Parameters<EndpointCommands["setLimits"]>[0]) {
    return this.#inTurn(() => this.#kernel.setLimits(limits));
  }

  addEndpoint(endpoint: NewEndpoint): Promise<void> {
    return this.#inTurn(async () => {
      await this.#kernel.addEndpoint(endpoint);
      const { address, port = 0 } = endpoint;
      const all = await this.#kernel.dumpEndpoints();
      const added = all.find((one) => one.address === address && one.port === port);
      if (added !== undefined) this.#own.add(keyOf(added));
    });
  }

  changeEndpoint(change: Parameters<EndpointCommands["changeEndpoint"]>[0]): Promise<void> {
    return this.#inTurn(async () => {
      await this.#requireOwn(`change endpoint id ${change.id}`, change.id);
      await this.#kernel.changeEndpoint(change);
    });
  }

  removeEndpoint(id: number): Promise<void> {
    return this.#inTurn(async () => {
      await this.#requireOwn(`delete endpoint id ${id}`, id);
      await this.#kernel.deleteEndpoint({ id });
    });
  }

  flushEndpoints(): Promise<void> {
    return this.#inTurn(async () => {
      for (const endpoint of await this.#kernel.dumpEndpoints())
        if (this.#own.has(keyOf(endpoint))) await this.#kernel.deleteEndpoint(endpoint);
    });
  }

  renewEndpoint(address: string): Promise<void> {
    const what = `renew endpoint ${address}`;
    return this.#inTurn(async () => {
      const all = await this.#kernel.dumpEndpoints();
      const endpoint = all.find((one) => one.address === address && one.flags.has("subflow"));
      if (endpoint === undefined)
        throw refusal(what, "ENOENT", "no endpoint makes subflows from this address");
      if (!this.#own.has(keyOf(endpoint))) throw foreign(what, endpoint);
      await this.#kernel.deleteEndpoint(endpoint);
      await this.#kernel.addEndpoint(endpoint);
    });
  }

  async #requireOwn(what: string, id: number): Promise<void> {
    const endpoint = await this.#kernel.getEndpoint(id);
    if (endpoint !== undefined && !this.#own.has(keyOf(endpoint))) throw foreign(what, endpoint);
  }
}

function keyOf({ id, address, port }: Endpoint): string {
  return `${id} ${address} ${port}`;
}

function foreign(what: string, { address }: Endpoint): KernelError {
  return refusal(
    what,
    "EPERM",
    `${address} was not made by mptcpd; \`mptcpctl adopt ${address}\` takes it over`,
  );
}
