import { type ConnectionOptions, NetlinkConnection } from "./netlink/connection.ts";

/**
 * Routing netlink (rtnetlink(7), include/uapi/linux/rtnetlink.h): message types, groups and how to open it. What the
 * messages hold is in links.ts, addresses.ts and routes.ts.
 */

export const NETLINK_ROUTE = 0;

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTM_NEWNEIGH = 28;
export const RTM_GETNEIGH = 30;
export const RTM_NEWRULE = 32;
export const RTM_GETRULE = 34;
export const RTM_NEWNEXTHOP = 104;
export const RTM_GETNEXTHOP = 106;

/** enum rtnetlink_groups: what NetlinkConnection.subscribe() takes. */
export const groups = {
  links: 1,
  ipv4Addresses: 5,
  ipv4Routes: 7,
  ipv4Rules: 8,
  ipv6Addresses: 9,
  ipv6Routes: 11,
  ipv6Rules: 19,
  /** Next-hop objects, since Linux 5.3. */
  nextHops: 32,
} as const;

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;

/** What a notification says of its object. */
export type Change<Kind extends string, T> = { readonly change: "new" | "deleted" } & Readonly<
  Record<Kind, T>
>;

/**
 * A connection to rtnetlink. Use one for notifications and another for dumps and requests: an overrun of the first then
 * costs no reply, and a socket filter on the first cannot eat dumps.
 */
export function openRtnetlink(options: Omit<ConnectionOptions, "protocol"> = {}): NetlinkConnection {
  return NetlinkConnection.open({ ...options, protocol: NETLINK_ROUTE });
}
