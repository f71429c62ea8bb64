/** How commands for endpoints get from the thread of the path managers to the daemon, which alone changes endpoints. */
import type { EndpointFlag, MptcpPm, NewEndpoint } from "../../kernel/mptcp-pm.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import { ClosedError, KernelError, NetlinkError } from "../../kernel/netlink/errors.ts";
import type { PackedCommand, PackedError } from "./messages.ts";
import type { EndpointCommands } from "./services.ts";

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
