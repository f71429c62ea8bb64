import { type EndpointFlag, endpointFlags } from "../kernel/mptcp-pm.ts";
import type { Network } from "../network/network.ts";
import type { PolicyConfig } from "../policy/judged.ts";
import type { WantedEndpoint } from "../policy/wanted.ts";
import type { EndpointWish } from "./api.ts";
import { viewNetwork } from "./network-view.ts";
import type { LoadedPlugin } from "./plugin.ts";

/** Asks a path manager for the endpoints that a network should have. Throws what it throws, and TypeError for a wish that makes no sense. */
export function askForEndpoints(
  { definition, options }: LoadedPlugin,
  network: Network,
  config: PolicyConfig,
): WantedEndpoint[] {
  const wishes = definition.endpoints?.(viewNetwork(network, config), config, options) ?? [];
  return wishes.map(toWanted);
}

function toWanted({ address: given, flags: names, port, priority }: EndpointWish): WantedEndpoint {
  const { address, ifIndex } = given;
  const flags = names === undefined ? given.flags : flagsOf(names);
  if (flags.has("signal") && flags.has("fullmesh"))
    throw new TypeError(`endpoint ${address} has both signal and fullmesh: the kernel takes one of them`);
  const chosen = port ?? given.port;
  if (chosen !== 0 && (!flags.has("signal") || flags.has("subflow")))
    throw new TypeError(`endpoint ${address} has a port: that takes the flag signal, without subflow`);
  return { address, ifIndex, flags, port: chosen, priority: priority ?? given.priority };
}

function flagsOf(names: readonly EndpointFlag[]) {
  for (const name of names)
    if (!endpointFlags.names.includes(name)) throw new TypeError(`${name} is no flag of an endpoint`);
  return endpointFlags.of(...names);
}
