/**
 * Commands of path managers for endpoints, and how they get from their thread to the daemon, which alone changes
 * endpoints.
 */
import type { EndpointFlag, MptcpPm, NewEndpoint } from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import { ClosedError, KernelError, NetlinkError } from "../../kernel/netlink/errors.ts";
import type { Endpoints, PathManager } from "./api.ts";
import type { PackedCommand, PackedError } from "./messages.ts";
import type { LocalAddress } from "./network-view.ts";
import {
  addressOf,
  flagsOf,
  requireEndpointId,
  requireId,
  requireInterface,
  requireLimit,
  requirePort,
} from "./refusals.ts";

/**
 * Endpoints as path managers may change them: EPERM for those that neither mptcpd nor a path manager has made. Nobody
 * deletes past this; the kernel itself looks at no more than an id.
 */
export interface EndpointCommands
  extends Pick<MptcpPm, "addEndpoint" | "flushEndpoints" | "getLimits" | "setLimits"> {
  dumpEndpoints(): ReturnType<MptcpPm["dumpEndpoints"]>;
  getEndpoint(id: number): ReturnType<MptcpPm["getEndpoint"]>;
  changeEndpoint(change: { readonly id: number; readonly flags: Bits<EndpointFlag> }): Promise<void>;
  removeEndpoint(id: number): Promise<void>;
  /** Deletes the endpoint of an address and adds it again. */
  renewEndpoint(address: string): Promise<void>;
}

export interface EndpointCommandsOptions {
  readonly kernel: EndpointCommands;
  /** Ends them: who was stopped gives no commands any more. */
  readonly signal: AbortSignal;
  /** An address with its interface, if it is one of the network's. */
  readonly locate: (given: string | LocalAddress) => { readonly address: string; readonly ifIndex?: number };
}

/** The commands of a path manager for endpoints and limits; see PathManager for what each of them promises. */
export function endpointCommandsOf({ kernel, signal, locate }: EndpointCommandsOptions) {
  // Who was stopped has no say any more. Asynchronous, so that what is wrong with an argument rejects as well.
  const running = async () => {
    signal.throwIfAborted();
    return kernel;
  };
  const limits: PathManager["limits"] = {
    get: async () => (await running()).getLimits(),
    set: async ({ subflows, addAddrAccepted }) => {
      for (const limit of [subflows, addAddrAccepted]) requireLimit(() => "set limits", limit);
      await (await running()).setLimits({ subflows, addAddrAccepted });
    },
  };
  const endpoints: Endpoints = {
    list: async () => (await running()).dumpEndpoints(),
    get: async (id) => {
      requireId(() => "show endpoint", id);
      return (await running()).getEndpoint(id);
    },
    add: async ({ address: given, flags: names = [], ...rest }) => {
      const { address, ...bound } = locate(given);
      const what = () => `add endpoint ${address}`;
      requireId(what, rest.id);
      requirePort(what, rest.port);
      requireInterface(what, bound.ifIndex);
      requireInterface(what, rest.ifIndex);
      const endpoint = {
        address: addressOf(what, address),
        ...bound,
        ...rest,
        flags: flagsOf(what, names),
      };
      await (await running()).addEndpoint(endpoint);
    },
    change: async (id, names) => {
      const what = () => `change endpoint id ${id}`;
      requireEndpointId(what, id);
      const flags = flagsOf(what, names);
      await (await running()).changeEndpoint({ id, flags });
    },
    remove: async (id) => {
      requireEndpointId(() => "delete endpoint", id);
      await (await running()).removeEndpoint(id);
    },
    renew: async (given) => {
      const text = typeof given === "string" ? given : given.address;
      const address = addressOf(() => `renew endpoint ${text}`, text);
      await (await running()).renewEndpoint(address);
    },
    flush: async () => (await running()).flushEndpoints(),
  };
  return { limits, endpoints };
}

export function packError(error: NetlinkError): PackedError {
  const { code, message } = error;
  if (!(error instanceof KernelError)) return { code, message };
  const { what, errno, extendedAck, attribute } = error;
  return { code, message, kernel: { what, errno, message: extendedAck, attribute } };
}

type Kernel = Pick<MptcpPm, "dumpEndpoints" | "getEndpoint" | "getLimits" | "setLimits">;

/** Endpoints as the thread has them: read from the kernel, changed by the daemon. */
export class EndpointRequests implements EndpointCommands {
  readonly #kernel: Kernel;
  readonly #send: (request: number, command: PackedCommand) => void;
  readonly #waiting = new Map<
    number,
    { readonly resolve: () => void; readonly reject: (error: unknown) => void }
  >();
  #last = 0;

  constructor(kernel: Kernel, send: (request: number, command: PackedCommand) => void) {
    this.#kernel = kernel;
    this.#send = send;
  }

  /** The daemon has answered a request. */
  answered(request: number, error: PackedError | undefined): void {
    const waiting = this.#waiting.get(request);
    this.#waiting.delete(request);
    if (error === undefined) waiting?.resolve();
    else waiting?.reject(unpackError(error));
  }

  /** No answer will come any more. */
  close(): void {
    for (const { reject } of this.#waiting.values()) reject(new ClosedError("change endpoints"));
    this.#waiting.clear();
  }

  dumpEndpoints() {
    return this.#kernel.dumpEndpoints();
  }

  getEndpoint(id: number) {
    return this.#kernel.getEndpoint(id);
  }

  getLimits() {
    return this.#kernel.getLimits();
  }

  setLimits(limits: Parameters<Kernel["setLimits"]>[0]) {
    return this.#kernel.setLimits(limits);
  }

  addEndpoint({ address, flags, id, port, ifIndex }: NewEndpoint): Promise<void> {
    const chosen = {
      ...(id !== undefined && { id }),
      ...(port !== undefined && { port }),
      ...(ifIndex !== undefined && { ifIndex }),
    };
    return this.#ask({ kind: "add", endpoint: { address, flags: flags.value, ...chosen } });
  }

  changeEndpoint({ id, flags }: { readonly id: number; readonly flags: Bits<EndpointFlag> }): Promise<void> {
    return this.#ask({ kind: "change", id, flags: flags.value });
  }

  removeEndpoint(id: number): Promise<void> {
    return this.#ask({ kind: "remove", id });
  }

  flushEndpoints(): Promise<void> {
    return this.#ask({ kind: "flush" });
  }

  renewEndpoint(address: string): Promise<void> {
    return this.#ask({ kind: "renew", address });
  }

  #ask(command: PackedCommand): Promise<void> {
    const request = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(request, { resolve, reject });
      this.#send(request, command);
    });
  }
}

function unpackError({ code, message, kernel }: PackedError): NetlinkError {
  if (kernel === undefined) return new NetlinkError(code, message);
  return new KernelError(kernel.what, kernel.errno, kernel);
}
