import { type Network, placeOf } from "../../control/network/network.ts";
import type { PolicyConfig } from "../../control/policy/host-addresses.ts";
import type { WantedEndpoint } from "../../control/policy/input.ts";
import { type EndpointFlag, endpointFlags } from "../../kernel/mptcp-pm.ts";
import { canonicalIp } from "../../kernel/netlink/ip.ts";
import type { EndpointWish, PathManagerDefinition } from "./api.ts";
import { viewNetwork } from "./network-view.ts";

/**
 * Asks a path manager for the endpoints that a network should have. Throws what it throws, and TypeError for a request
 * that makes no sense.
 */
export function askForEndpoints(
  { definition, options }: { readonly definition: PathManagerDefinition; readonly options: unknown },
  network: Network,
  config: PolicyConfig,
): WantedEndpoint[] {
  const requests = definition.endpoints?.(viewNetwork(network, config), config, options) ?? [];
  const wanted = requests.map(toWanted);
  const places = new Set<string>();
  for (const one of wanted) {
    if (places.has(placeOf(one))) throw new TypeError(`endpoint ${one.address} is wanted twice`);
    places.add(placeOf(one));
  }
  return wanted;
}

function toWanted({ address: given, flags: names, port, priority }: EndpointWish): WantedEndpoint {
  // JavaScript may give anything.
  if (typeof given !== "object" || !("ifIndex" in given))
    throw new TypeError(`${given} is wanted: an address has to be one of network.addresses, not its text`);
  const { address, ifIndex } = given;
  requireAddress(address);
  if (!Number.isInteger(ifIndex) || ifIndex < 0 || ifIndex > 2 ** 31 - 1)
    throw new TypeError(`endpoint ${address}: ${ifIndex} is not an interface index`);
  const flags = names === undefined ? given.flags : flagsOf(names);
  if (flags.has("signal") && flags.has("fullmesh"))
    throw new TypeError(`endpoint ${address} has both signal and fullmesh: the kernel takes one of them`);
  const chosen = { port: port ?? given.port, priority: priority ?? given.priority };
  if (chosen.port !== 0 && (!flags.has("signal") || flags.has("subflow")))
    throw new TypeError(`endpoint ${address} has a port: that takes the flag signal, without subflow`);
  if (!Number.isInteger(chosen.port) || chosen.port < 0 || chosen.port > 0xffff)
    throw new TypeError(`endpoint ${address}: ${chosen.port} is no port`);
  if (!Number.isFinite(chosen.priority))
    throw new TypeError(`endpoint ${address}: ${chosen.priority} is no priority`);
  return { address, ifIndex, flags, ...chosen };
}

function requireAddress(address: string): void {
  if (typeof address !== "string" || canonicalIp(address) !== address)
    throw new TypeError(
      `${address} is wanted: an address has to be one of network.addresses, as it is there`,
    );
}

function flagsOf(names: readonly EndpointFlag[]) {
  // The kernel sets `implicit` itself and refuses it from others.
  for (const name of names)
    if (!endpointFlags.names.includes(name) || name === "implicit")
      throw new TypeError(`${name} is no flag that an endpoint can be given`);
  return endpointFlags.of(...names);
}
