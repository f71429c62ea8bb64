import { isDeepStrictEqual } from "node:util";
import { dumpAddresses } from "../../kernel/addresses.ts";
import { dumpLinks } from "../../kernel/links.ts";
import type { NetlinkConnection } from "../../kernel/netlink/connection.ts";
import { withHops } from "../../kernel/next-hops.ts";
import { dumpRoutes, lookupRoute, type Route, RTN_UNICAST } from "../../kernel/routes.ts";
import { openRtnetlink } from "../../kernel/rtnetlink.ts";
import type { Egress, Family, Network, Routing } from "./network.ts";

/** Default routes, and the halves of the address space that tunnels put in their place. */
const LONGEST_PREFIX = 1;

/**
 * Addresses that stand for the Internet in look-ups; nothing is sent to them. IPv4 has one in each half of the
 * address space, since tunnels may route them apart; all of IPv6's Internet is in one half.
 */
const landmarks: readonly { readonly family: Family; readonly address: string }[] = [
  { family: 4, address: "9.9.9.9" },
  { family: 4, address: "198.41.0.4" },
  { family: 6, address: "2001:503:ba3e::2:30" },
];

/**
 * Reads the whole network from the kernel.
 *
 * @returns the network, and whether it changed while it was listed: then something may be missing
 */
export async function readNetwork(
  connection: NetlinkConnection,
): Promise<{ readonly network: Network; readonly interrupted: boolean }> {
  const links = await dumpLinks(connection);
  const addresses = await dumpAddresses(connection);
  const routing = await readRouting(connection);
  return {
    network: {
      links: new Map(links.items.map((link) => [link.index, link])),
      addresses: addresses.items,
      ...routing,
      formerNames: new Map(),
    },
    interrupted: links.interrupted || addresses.interrupted,
  };
}

/** Reads the whole network once, by a socket of its own. */
export async function readNetworkOnce(): Promise<Network> {
  const connection = openRtnetlink();
  try {
    return (await readNetwork(connection)).network;
  } finally {
    connection.close();
  }
}

export async function readRouting(connection: NetlinkConnection): Promise<Routing> {
  const routes: Route[] = [];
  for (const family of [4, 6] as const) {
    const dump = await dumpRoutes(connection, { family, maxPrefixLength: LONGEST_PREFIX });
    routes.push(...dump.items.filter(({ type }) => type === RTN_UNICAST));
  }
  const winners: Route[] = [];
  for (const { address } of landmarks) {
    // Ask for the route as it is in the table: a look-up for one destination gives only one of its next hops.
    const route = await lookupRoute(connection, { destination: address, fibMatch: true });
    if (route !== undefined) winners.push(route);
  }
  const resolved = await withHops(connection, [...routes, ...winners]);
  return {
    defaultRoutes: resolved.slice(0, routes.length),
    egress: distinct(resolved.slice(routes.length).flatMap(egressOf)),
  };
}

/** One entry for each interface of a route's next hops, without next hops that the kernel does not use. */
function egressOf({ family, hops }: Route): Egress[] {
  const live = hops.filter(({ dead }) => dead === undefined);
  const ifIndexes = [...new Set(live.map(({ ifIndex }) => ifIndex))];
  return ifIndexes.map((ifIndex) => {
    const sharedWith = ifIndexes.filter((other) => other !== ifIndex);
    return { family, ifIndex, ...(sharedWith.length > 0 && { sharedWith }) };
  });
}

function distinct(egress: readonly Egress[]): Egress[] {
  return egress.filter(
    (one, index) => !egress.slice(0, index).some((other) => isDeepStrictEqual(one, other)),
  );
}
