import { type RouteMessage, routeMessage, routeRequest } from "./messages/codecs.ts";
import { routeFlags } from "./messages/flags.ts";
import { body, type Dump, type NetlinkConnection } from "./netlink/connection.ts";
import { KernelError } from "./netlink/errors.ts";
import { ipFamily } from "./netlink/ip.ts";
import type { NetlinkMessage } from "./netlink/wire.ts";
import type { Hop } from "./next-hops.ts";
import { type Change, RTM_DELROUTE, RTM_GETROUTE, RTM_NEWROUTE } from "./rtnetlink.ts";
import { AF_INET, AF_INET6, AF_UNSPEC } from "./socket-numbers.ts";

export { routeFlags } from "./messages/flags.ts";
export type { Hop } from "./next-hops.ts";

/** Routes (net/ipv4/fib_semantics.c, net/ipv6/route.c; include/uapi/linux/rtnetlink.h; ip-route(8)). */
export type Route = {
  readonly family: 4 | 6;
  /** Undefined: the default route. */
  readonly destination: string | undefined;
  readonly prefixLength: number;
  /** 254 main, 255 local; any u32. */
  readonly table: number;
  /** RTN_*: 1 unicast, 2 local, 6 blackhole, 7 unreachable, 8 prohibit… */
  readonly type: number;
  /** RT_SCOPE_*. */
  readonly scope: number;
  /** RTPROT_*, who made it: 2 kernel, 3 boot, 4 static, 9 router advertisement, 16 DHCP… */
  readonly protocol: number;
  /** Lower is preferred. */
  readonly metric: number;
  /**
   * Empty for routes that lead nowhere, and for those by next-hop objects where net.ipv4.nexthop_compat_mode is off:
   * `withHops` of next-hops.ts fills in these.
   */
  readonly hops: readonly Hop[];
  /** The next-hop object that the route goes by (ip-nexthop(8)). */
  readonly nextHopId?: number;
  /** The address that packets of this route leave from, if it says so (RTA_PREFSRC). */
  readonly source?: string;
};

/** A flag of struct rtnexthop. */
const RTNH_F_DEAD = 1;

export const RTN_UNICAST = 1;
export const RT_TABLE_MAIN = 254;

/**
 * The routes of a family in all tables, those the kernel keeps for local addresses included. `maxPrefixLength` 0 or 1
 * leaves out all but default routes (and the two halves that VPNs use in their place): the kernel lists all the same,
 * perhaps a million, but what is longer costs a look at one byte here.
 */
export function dumpRoutes(
  connection: NetlinkConnection,
  options: RouteSelection = {},
): Promise<Dump<Route>> {
  const { family, table, maxPrefixLength = 128, accepts } = options;
  const value = { family: family === undefined ? AF_UNSPEC : familyNumber(family), table };
  return connection.dump(
    { what: "list routes", type: RTM_GETROUTE, body: body(routeRequest, value) },
    (message) => {
      const route = decodeRoute(message, maxPrefixLength);
      return route === undefined || accepts?.(route) === false ? undefined : route;
    },
  );
}

export type RouteSelection = {
  readonly family?: 4 | 6;
  readonly table?: number;
  readonly maxPrefixLength?: number;
  /** Which to keep, for those who want few of perhaps a million. */
  accepts?(route: Route): boolean;
};

export type Lookup = {
  readonly destination: string;
  /** The address that packets will leave from; policy rules may go by it. */
  readonly source?: string;
  /** The interface that they will leave by, as after SO_BINDTODEVICE. */
  readonly ifIndex?: number;
  /** As set with SO_MARK. */
  readonly mark?: number;
  /** Give the route as it is in the table; else what it comes to for this destination: one hop, the source chosen. */
  readonly fibMatch?: boolean;
};

/**
 * The route that the kernel would take now, policy rules applied. Undefined where it has none, or one that refuses.
 * With `ifIndex` and no route IPv4 takes the destination to be on that link (net/ipv4/route.c,
 * ip_route_output_key_hash_rcu): such a route says table 0.
 */
export async function lookupRoute(connection: NetlinkConnection, lookup: Lookup): Promise<Route | undefined> {
  const { destination, source, ifIndex, mark, fibMatch = false } = lookup;
  const family = ipFamily(destination);
  const bits = family === 4 ? 32 : 128;
  const flags = fibMatch ? routeFlags.of("fibMatch") : routeFlags.of();
  const value = {
    family: familyNumber(family),
    prefixLength: bits,
    sourcePrefixLength: source === undefined ? 0 : bits,
    // IPv4 gives the main table's number unless told to look; IPv6 looks, and refuses to be told.
    flags: family === 4 ? flags.with("lookupTable") : flags,
    destination,
    fromAddress: source,
    ifIndex,
    mark,
  };
  const what = `look up the route to ${destination}`;
  try {
    const request = { what, type: RTM_GETROUTE, body: body(routeRequest, value) };
    const [route] = await connection.get(request, (message) =>
      // What a look-up comes to is marked as cloned from the route that it came by.
      message.type === RTM_NEWROUTE ? toRoute(routeMessage.decode(message)) : undefined,
    );
    return route === undefined || refusing.has(route.type) ? undefined : route;
  } catch (error) {
    if (error instanceof KernelError && isUnreachable(error)) return undefined;
    throw error;
  }
}

/**
 * The route of an RTM_NEWROUTE or RTM_DELROUTE. Undefined for other messages, other families, cached exceptions, and
 * routes longer than `maxPrefixLength`, which are told by the second byte of rtmsg before anything is decoded.
 */
export function decodeRoute(message: NetlinkMessage, maxPrefixLength = 128): Route | undefined {
  const { input, start, end, type } = message;
  if (type !== RTM_NEWROUTE && type !== RTM_DELROUTE) return undefined;
  if (end - start > 1 && input.view.getUint8(start + 1) > maxPrefixLength) return undefined;
  const route = routeMessage.decode(message);
  return route.flags.has("cloned") ? undefined : toRoute(route);
}

/**
 * "new" is also a change: a route that is replaced is told by its successor alone, of the same prefix, table and metric
 * (NLM_F_REPLACE). The kernel drops IPv4 routes without a word when their link goes down or their source address
 * goes (net/ipv4/fib_frontend.c, fib_disable_ip): dump again after those.
 */
export function decodeRouteEvent(
  message: NetlinkMessage,
  maxPrefixLength = 128,
): Change<"route", Route> | undefined {
  const route = decodeRoute(message, maxPrefixLength);
  return route && { change: message.type === RTM_NEWROUTE ? "new" : "deleted", route };
}

function toRoute(decoded: RouteMessage): Route | undefined {
  if (decoded.family !== AF_INET && decoded.family !== AF_INET6) return undefined;
  const { prefixLength, type, scope, protocol, metric, source, destination, nextHopId } = decoded;
  return {
    family: decoded.family === AF_INET ? 4 : 6,
    destination: prefixLength === 0 ? undefined : destination,
    prefixLength,
    table: decoded.table ?? decoded.shortTable,
    type,
    scope,
    protocol,
    metric,
    hops: hopsOf(decoded),
    ...(source !== undefined && { source }),
    ...(nextHopId !== undefined && { nextHopId }),
  };
}

function hopsOf({ multipath, ifIndex, gateway, via }: RouteMessage): readonly Hop[] {
  if (multipath !== undefined)
    return multipath.map((hop) => ({
      ifIndex: hop.ifIndex,
      weight: hop.weightLessOne + 1,
      ...toGateway(hop.gateway ?? hop.via),
      ...((hop.flags & RTNH_F_DEAD) !== 0 && { dead: true as const }),
    }));
  return ifIndex === undefined ? [] : [{ ifIndex, weight: 1, ...toGateway(gateway ?? via) }];
}

function toGateway(gateway: string | undefined): { gateway?: string } {
  return gateway === undefined ? {} : { gateway };
}

function familyNumber(family: 4 | 6): number {
  return family === 4 ? AF_INET : AF_INET6;
}

/** RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT, RTN_THROW. IPv6 gives them as routes. */
const refusing = new Set([6, 7, 8, 9]);
/**
 * ENETUNREACH: no route. The others are what IPv4 gives for routes that refuse (net/ipv4/fib_semantics.c, fib_props);
 * EINVAL is a blackhole if it comes without the words that every complaint about the request itself has.
 */
function isUnreachable({ code, extendedAck }: KernelError): boolean {
  return code === "EINVAL"
    ? extendedAck === undefined
    : ["ENETUNREACH", "EHOSTUNREACH", "EACCES"].includes(code);
}
