import { messageOf } from "../../base/errors.ts";
import type { SubflowKernel } from "../../control/connections/subflows.ts";
import type {
  EndpointFlag,
  Limits,
  LocalEnd,
  MptcpPm,
  NewEndpoint,
  SubflowEnd,
  SubflowKey,
} from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import { KernelError } from "../../kernel/netlink/errors.ts";
import type { EndpointCommands } from "../runtime/endpoint-commands.ts";

/** A command that a path manager has given. */
export type GivenCommand =
  | {
      readonly name: "subflow create";
      readonly token: number;
      readonly local: LocalEnd;
      readonly remote: SubflowEnd;
      readonly backup: boolean;
    }
  | {
      readonly name: "subflow destroy";
      readonly token: number;
      readonly local: LocalEnd;
      readonly remote: SubflowEnd;
    }
  | {
      readonly name: "subflow change";
      readonly token: number;
      readonly local: LocalEnd;
      readonly remote: SubflowEnd;
      readonly backup: boolean;
    }
  | { readonly name: "announce"; readonly token: number; readonly local: LocalEnd }
  | { readonly name: "withdraw"; readonly token: number; readonly id: number }
  | { readonly name: "listen"; readonly local: SubflowEnd }
  | { readonly name: "endpoint add"; readonly endpoint: NewEndpoint }
  | { readonly name: "endpoint change"; readonly id: number; readonly flags: Bits<EndpointFlag> }
  | { readonly name: "endpoint delete"; readonly id: number }
  | { readonly name: "endpoint renew"; readonly address: string }
  | { readonly name: "endpoint flush" }
  | { readonly name: "limits set"; readonly limits: Limits };

/** A command of a path manager, and what became of it. */
export interface CommandGiven {
  /** Milliseconds since the beginning. */
  readonly at: number;
  readonly command: GivenCommand;
  readonly refusal: string | undefined;
}

type Kernel = SubflowKernel & Pick<MptcpPm, "announce" | "remove" | "dumpEndpoints">;

/** A kernel that tells of each command that it gets, when it has answered it; with its reason, if it refuses. */
export class WatchedKernel implements Kernel, EndpointCommands {
  readonly #kernel: Kernel;
  readonly #endpoints: EndpointCommands;
  readonly #onCommand: (command: GivenCommand, refusal: string | undefined) => void;

  constructor(
    kernel: Kernel,
    endpoints: EndpointCommands,
    onCommand: (command: GivenCommand, refusal: string | undefined) => void,
  ) {
    this.#kernel = kernel;
    this.#endpoints = endpoints;
    this.#onCommand = onCommand;
  }

  createSubflow(given: SubflowKey & { readonly flags?: Bits<EndpointFlag> }): Promise<void> {
    const { token, local, remote, flags } = given;
    const backup = flags?.has("backup") ?? false;
    return this.#watch({ name: "subflow create", token, local, remote, backup }, () =>
      this.#kernel.createSubflow(given),
    );
  }

  destroySubflow(given: SubflowKey): Promise<void> {
    const { token, local, remote } = given;
    return this.#watch({ name: "subflow destroy", token, local, remote }, () =>
      this.#kernel.destroySubflow(given),
    );
  }

  setSubflowFlags(given: SubflowKey & { readonly flags: Bits<EndpointFlag> }): Promise<void> {
    const { token, local, remote, flags } = given;
    return this.#watch({ name: "subflow change", token, local, remote, backup: flags.has("backup") }, () =>
      this.#kernel.setSubflowFlags(given),
    );
  }

  announce(given: Parameters<Kernel["announce"]>[0]): Promise<void> {
    const { token, ...local } = given;
    return this.#watch({ name: "announce", token, local }, () => this.#kernel.announce(given));
  }

  remove(given: { token: number; id: number }): Promise<void> {
    return this.#watch({ name: "withdraw", ...given }, () => this.#kernel.remove(given));
  }

  dumpEndpoints(token?: number) {
    return this.#kernel.dumpEndpoints(token);
  }

  getEndpoint(id: number) {
    return this.#endpoints.getEndpoint(id);
  }

  addEndpoint(endpoint: NewEndpoint): Promise<void> {
    return this.#watch({ name: "endpoint add", endpoint }, () => this.#endpoints.addEndpoint(endpoint));
  }

  changeEndpoint(given: Parameters<EndpointCommands["changeEndpoint"]>[0]): Promise<void> {
    return this.#watch({ name: "endpoint change", ...given }, () => this.#endpoints.changeEndpoint(given));
  }

  removeEndpoint(id: number): Promise<void> {
    return this.#watch({ name: "endpoint delete", id }, () => this.#endpoints.removeEndpoint(id));
  }

  renewEndpoint(address: string): Promise<void> {
    return this.#watch({ name: "endpoint renew", address }, () => this.#endpoints.renewEndpoint(address));
  }

  flushEndpoints(): Promise<void> {
    return this.#watch({ name: "endpoint flush" }, () => this.#endpoints.flushEndpoints());
  }

  getLimits(): Promise<Limits> {
    return this.#endpoints.getLimits();
  }

  setLimits(limits: Limits): Promise<void> {
    return this.#watch({ name: "limits set", limits }, () => this.#endpoints.setLimits(limits));
  }

  async #watch(command: GivenCommand, carryOut: () => Promise<void>): Promise<void> {
    try {
      await carryOut();
      this.#onCommand(command, undefined);
    } catch (error) {
      this.#onCommand(command, error instanceof KernelError ? error.reason : messageOf(error));
      throw error;
    }
  }
}
