import type { EndpointKernel } from "../../control/endpoints/endpoint-table.ts";
import {
  changeableFlags,
  type Endpoint,
  type EndpointFlag,
  endpointFlags,
  type Limits,
  type MptcpEvent,
  type NewEndpoint,
} from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import { errnoOf, KernelError } from "../../kernel/netlink/errors.ts";
import { ipFamily, unmapped } from "../../kernel/netlink/ip.ts";
import { AF_INET, AF_INET6 } from "../../kernel/socket-numbers.ts";

/** What differs between versions of Linux. */
export interface EndpointRules {
  /** MPTCP_PM_ADDR_MAX: the number of endpoints. */
  readonly slots: number;
  /** The maximum of both limits. */
  readonly largestLimit: number;
  /** The kernel drops other flags without a word. */
  readonly flags: Bits<EndpointFlag>;
}

/** Linux 6.18. Older kernels do not know laminar. */
export const linux618: EndpointRules = {
  slots: 8,
  largestLimit: 8,
  flags: endpointFlags.of("signal", "subflow", "backup", "fullmesh", "implicit", "laminar"),
};

/** What the kernel asks of the host to listen at an endpoint's port, and whom it tells. */
export interface EndpointHost {
  readonly hasAddress: (address: string) => boolean;
  readonly tell: (event: MptcpEvent) => void;
}

const everywhere: EndpointHost = { hasAddress: () => true, tell: () => undefined };
const LARGEST_ID = 255;

/**
 * The endpoints and limits of a network namespace, with the rules of net/mptcp/pm_kernel.c in Linux 6.18. The kernel's
 * own path manager would make subflows and announcements of them; that is not simulated.
 */
export class SimulatedEndpoints implements EndpointKernel {
  protected rules: EndpointRules = linux618;
  /** In the kernel's order: those with a port from the latest to the first, then the others as they were added. */
  protected list: readonly Endpoint[] = [];
  protected currentLimits: Limits = { subflows: 2, addAddrAccepted: 0 };
  readonly #host: EndpointHost;
  #nextId = 1;

  constructor(host: EndpointHost = everywhere) {
    this.#host = host;
  }

  /** By id. */
  async dumpEndpoints(): Promise<Endpoint[]> {
    return [...this.list].sort((a, b) => a.id - b.id);
  }

  async getEndpoint(id: number): Promise<Endpoint | undefined> {
    return this.list.find((endpoint) => endpoint.id === id);
  }

  async addEndpoint(given: NewEndpoint): Promise<void> {
    const what = `add endpoint ${given.address}`;
    const { flags } = given;
    if (given.port && (!flags.has("signal") || flags.has("subflow")))
      throw refusal(what, "EINVAL", "flags must have signal and not subflow when using port");
    if (flags.has("signal") && flags.has("fullmesh"))
      throw refusal(what, "EINVAL", "flags mustn't have both signal and fullmesh");
    if (flags.has("implicit")) throw refusal(what, "EINVAL", "can't create IMPLICIT endpoint");
    this.#listen(what, given);
    try {
      this.#append(what, given);
    } catch (error) {
      this.#tellListener("listenerClosed", given);
      throw error;
    }
  }

  /** By id, or by address; one with a port is only found by that. */
  async changeEndpoint(change: Parameters<EndpointKernel["changeEndpoint"]>[0]): Promise<void> {
    const what = "change endpoint";
    if ("id" in change && change.id === 0) throw refusal(what, "EOPNOTSUPP", "missing address ID");
    const endpoint = "id" in change ? await this.getEndpoint(change.id) : this.#at(change);
    if (endpoint === undefined) throw refusal(what, "EINVAL", "address not found");
    const { flags } = endpoint;
    if (change.flags.has("fullmesh") && (flags.has("signal") || flags.has("implicit")))
      throw refusal(what, "EINVAL", "invalid addr flags");
    const kept = flags.without(...changeableFlags.names).value;
    const changed = endpointFlags.from(kept | (change.flags.value & changeableFlags.value));
    this.list = this.list.map((other) => (other === endpoint ? { ...other, flags: changed } : other));
  }

  /** The kernel looks at the id alone; id 0 stands for the first address of every connection. */
  async deleteEndpoint({ id }: { readonly id: number; readonly address?: string }): Promise<void> {
    if (id === 0) return;
    const endpoint = await this.getEndpoint(id);
    if (endpoint === undefined) throw refusal(`delete endpoint id ${id}`, "EINVAL", "address not found");
    this.list = this.list.filter((other) => other !== endpoint);
    this.#tellListener("listenerClosed", endpoint);
  }

  /** Limits stay; before Linux 6.18, the one of accepted addresses became 0. */
  async flushEndpoints(): Promise<void> {
    const all = this.list;
    this.list = [];
    this.#nextId = 1;
    for (const endpoint of all) this.#tellListener("listenerClosed", endpoint);
  }

  async getLimits(): Promise<Limits> {
    return this.currentLimits;
  }

  async setLimits(limits: Limits): Promise<void> {
    const { largestLimit } = this.rules;
    if (limits.subflows > largestLimit || limits.addAddrAccepted > largestLimit)
      throw refusal("set limits", "EINVAL", `limit greater than maximum (${largestLimit})`);
    this.currentLimits = limits;
  }

  /** mptcp_pm_nl_append_new_local_addr */
  #append(what: string, { address, flags, id = 0, port = 0, ifIndex = 0 }: NewEndpoint): void {
    const refused = (code: string): KernelError =>
      refusal(what, code, `too many addresses or duplicate one: -${errnoOf(code)}`);
    if (this.#nextId === LARGEST_ID) this.#nextId = 1;
    if (this.list.length >= this.rules.slots) throw refused("ERANGE");
    if (this.list.some((other) => other.id === id)) throw refused("EBUSY");
    const same = this.list.find((other) => isSame(other.address, address) && other.port === port);
    if (same !== undefined && !same.flags.has("implicit")) throw refused("EEXIST");
    if (same !== undefined && id !== 0) throw refused("EINVAL");
    const chosen = id || (same?.id ?? this.#freeId());
    this.#nextId = Math.max(this.#nextId, chosen);
    const known = endpointFlags.from(flags.value & this.rules.flags.value);
    const added = { id: chosen, address, port, flags: known, ifIndex };
    const others = this.list.filter((other) => other !== same);
    this.list = port === 0 ? [...others, added] : [added, ...others];
  }

  /** The first one from the largest that was given so far, or else from 1. */
  #freeId(): number {
    const isTaken = (id: number): boolean => this.list.some((other) => other.id === id);
    for (let id = this.#nextId; id <= LARGEST_ID; id++) if (!isTaken(id)) return id;
    this.#nextId = 1;
    let id = 1;
    while (isTaken(id)) id++;
    return id;
  }

  #at({ address, port = 0 }: { readonly address: string; readonly port?: number }): Endpoint | undefined {
    return this.list.find((one) => isSame(one.address, address) && (one.port === 0 || one.port === port));
  }

  /** mptcp_pm_nl_create_listen_socket: before it looks whether there is room for the endpoint. */
  #listen(what: string, { address, port = 0 }: NewEndpoint): void {
    if (port === 0) return;
    const isListening = this.list.some((other) => isSame(other.address, address) && other.port === port);
    const code = !this.#host.hasAddress(address) ? "EADDRNOTAVAIL" : isListening ? "EADDRINUSE" : undefined;
    if (code !== undefined) throw refusal(what, code, `create listen socket error: -${errnoOf(code)}`);
    this.#tellListener("listenerCreated", { address, port });
  }

  #tellListener(
    event: "listenerCreated" | "listenerClosed",
    { address, port = 0 }: Pick<NewEndpoint, "address" | "port">,
  ): void {
    if (port === 0) return;
    const family = ipFamily(address) === 4 ? AF_INET : AF_INET6;
    this.#host.tell({ event, family, localAddress: address, localPort: port });
  }
}

/** mptcp_addresses_equal: IPv4 in either spelling. */
export function isSame(one: string, other: string): boolean {
  return unmapped(one) === unmapped(other);
}

/** A refusal in the kernel's words. */
export function refusal(what: string, code: string, message: string): KernelError {
  return new KernelError(what, errnoOf(code), { message });
}
