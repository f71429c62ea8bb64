import type { Endpoint, EndpointFlag, NewEndpoint } from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import { KernelError, NetlinkError } from "../../kernel/netlink/errors.ts";
import type { Decision } from "../policy/decision.ts";
import type { EndpointKernel } from "./endpoint-table.ts";
import type { Ledger } from "./ledger.ts";
import type { Step } from "./plan.ts";

/** What a path manager may do to endpoints. */
export type EndpointCommand =
  | { readonly kind: "add"; readonly endpoint: NewEndpoint }
  | { readonly kind: "change"; readonly id: number; readonly flags: Bits<EndpointFlag> }
  | { readonly kind: "remove"; readonly id: number }
  | { readonly kind: "flush" }
  /** Deletes the endpoint of an address and adds it again, so that the kernel tries its lost subflows again. */
  | { readonly kind: "renew"; readonly address: string };

/** A command that mptcpd refuses before the kernel is asked. */
class EndpointCommandError extends NetlinkError {
  override readonly name = "EndpointCommandError";

  constructor(what: string, code: "ENOENT" | "EPERM" | "EAGAIN" | "ECANCELED", reason: string) {
    super(code, `cannot ${what}: ${reason} (${code})`);
  }
}

export interface CommandDeskOptions {
  readonly kernel: EndpointKernel;
  readonly ledger: Ledger;
  /**
   * Carries out a step for an endpoint that the policy decided, or any deletion. A deletion waits until peers can
   * handle another REMOVE_ADDR.
   * @returns false if the endpoint is no longer ours
   */
  readonly execute: (step: Step) => Promise<boolean>;
}

interface Waiting {
  readonly command: EndpointCommand;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Commands of path managers about endpoints. They wait for their turn between two plans of the reconciler, so that
 * nothing else changes endpoints meanwhile. They may change or delete only endpoints in the ledger: those that a path
 * manager has added, and those that the policy wants. For endpoints of others they fail with EPERM.
 */
export class CommandDesk {
  readonly #options: CommandDeskOptions;
  #waiting: Waiting[] = [];

  constructor(options: CommandDeskOptions) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#waiting.length === 0;
  }

  /** Resolves when the command was carried out in its turn; rejects with a NetlinkError. */
  ask(command: EndpointCommand): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ command, resolve, reject }));
  }

  /** Carries out the waiting commands. `decide` gives the policy's decisions; undefined: they are not known yet. */
  async serve(decide: () => readonly Decision[] | undefined): Promise<void> {
    for (const { command, resolve, reject } of this.#waiting.splice(0))
      await this.#carryOut(command, decide).then(resolve, reject);
  }

  /** Refuses the waiting commands. The default reason is that mptcpd is stopping. */
  refuse(
    error: unknown = new EndpointCommandError("change endpoints", "ECANCELED", "mptcpd is stopping"),
  ): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  async #carryOut(command: EndpointCommand, decide: () => readonly Decision[] | undefined): Promise<void> {
    if (command.kind === "add") await this.#add(command.endpoint);
    else if (command.kind === "change") await this.#change(command.id, command.flags);
    else if (command.kind === "remove") await this.#remove(command.id);
    else if (command.kind === "flush") await this.#flush();
    else await this.#renew(command.address, decide);
  }

  async #add(endpoint: NewEndpoint): Promise<void> {
    const { kernel, ledger } = this.#options;
    const { address, flags, id = 0, port = 0, ifIndex = 0 } = endpoint;
    const isThere = ({ address: other, port: otherPort }: Endpoint): boolean =>
      other === address && otherPort === port;
    // The kernel refuses a second endpoint for an address; the ledger's entry of the first stays as it is.
    const isNew = !(await kernel.dumpEndpoints()).some(isThere);
    if (isNew) ledger.recordCommanded({ id, address, port, flags, ifIndex });
    try {
      await kernel.addEndpoint(endpoint);
    } catch (error) {
      // Without an answer, the endpoint may exist all the same.
      if (isNew && error instanceof KernelError) ledger.forgetCommanded(endpoint);
      throw error;
    }
    const added = (await kernel.dumpEndpoints()).find(isThere);
    if (added !== undefined) ledger.recordCommanded(added);
  }

  async #change(id: number, flags: Bits<EndpointFlag>): Promise<void> {
    await this.#requireOwn(id, "change");
    await this.#options.kernel.changeEndpoint({ id, flags });
  }

  async #remove(id: number): Promise<void> {
    const endpoint = await this.#requireOwn(id, "delete");
    // If there is no such endpoint, the kernel says so.
    if (endpoint === undefined) await this.#options.kernel.deleteEndpoint({ id });
    else await this.#delete(endpoint, "a path manager removes it");
  }

  async #flush(): Promise<void> {
    for (const endpoint of await this.#options.kernel.dumpEndpoints())
      if (this.#isOwn(endpoint)) await this.#delete(endpoint, "a path manager removes all");
  }

  async #renew(address: string, decide: () => readonly Decision[] | undefined): Promise<void> {
    const { execute, kernel, ledger } = this.#options;
    const what = `renew endpoint ${address}`;
    const all = await kernel.dumpEndpoints();
    const endpoint = all.find((one) => one.address === address && one.flags.has("subflow"));
    if (endpoint === undefined)
      throw new EndpointCommandError(what, "ENOENT", "no endpoint makes subflows from this address");
    if (!this.#isOwn(endpoint)) throw foreign(what, endpoint);
    const isCommanded = !ledger.owns(endpoint);
    const isWanted = decide()?.some(
      (one) => one.address === address && one.outcome === "endpoint" && one.endpoint !== undefined,
    );
    // A held endpoint would not come back.
    if (!isCommanded && isWanted !== true)
      throw new EndpointCommandError(what, "EAGAIN", "it is about to be removed");
    const reason = "a path manager renews it, so that the kernel tries lost subflows again";
    await this.#delete(endpoint, reason);
    if (isCommanded) await this.#add(endpoint);
    else await execute({ kind: "add", endpoint, reason });
  }

  async #delete(endpoint: Endpoint, reason: string): Promise<void> {
    if (await this.#options.execute({ kind: "delete", endpoint, reason })) return;
    throw foreign(`delete endpoint id ${endpoint.id}`, endpoint);
  }

  /** @returns undefined if there is none */
  async #requireOwn(id: number, verb: string): Promise<Endpoint | undefined> {
    const endpoint = await this.#options.kernel.getEndpoint(id);
    if (endpoint !== undefined && !this.#isOwn(endpoint))
      throw foreign(`${verb} endpoint id ${id}`, endpoint);
    return endpoint;
  }

  #isOwn(endpoint: Endpoint): boolean {
    const { ledger } = this.#options;
    return ledger.owns(endpoint) || ledger.isCommanded(endpoint);
  }
}

function foreign(what: string, { address }: Endpoint): EndpointCommandError {
  const reason = `${address} was not made by mptcpd; \`mptcpctl adopt ${address}\` takes it over`;
  return new EndpointCommandError(what, "EPERM", reason);
}
