import type { Endpoints, PathManager } from "./api.ts";
import {
  addressOf,
  flagsOf,
  requireEndpointId,
  requireId,
  requireInterface,
  requireLimit,
  requirePort,
} from "./arguments.ts";
import type { LocalAddress } from "./network-view.ts";
import type { Services } from "./services.ts";

export interface EndpointCommandsOptions {
  readonly kernel: Services["kernel"];
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
      for (const limit of [subflows, addAddrAccepted]) requireLimit("set limits", limit);
      await (await running()).setLimits({ subflows, addAddrAccepted });
    },
  };
  const endpoints: Endpoints = {
    list: async () => (await running()).dumpEndpoints(),
    get: async (id) => {
      requireId("show endpoint", id);
      return (await running()).getEndpoint(id);
    },
    add: async ({ address: given, flags: names = [], ...rest }) => {
      const { address, ...bound } = locate(given);
      const what = `add endpoint ${address}`;
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
      const what = `change endpoint id ${id}`;
      requireEndpointId(what, id);
      const flags = flagsOf(what, names);
      await (await running()).changeEndpoint({ id, flags });
    },
    remove: async (id) => {
      requireEndpointId("delete endpoint", id);
      await (await running()).removeEndpoint(id);
    },
    renew: async (given) => {
      const text = typeof given === "string" ? given : given.address;
      const address = addressOf(`renew endpoint ${text}`, text);
      await (await running()).renewEndpoint(address);
    },
    flush: async () => (await running()).flushEndpoints(),
  };
  return { limits, endpoints };
}
