/** The named bits in the kernel's messages. */
import { bitNames, type NameOf } from "../netlink/bits.ts";

/**
 * IFA_F_* (include/uapi/linux/if_addr.h). Bit 0 is "temporary" for IPv6 (RFC 8981); for IPv4 the same bit says
 * "secondary".
 */
export const addressFlags = bitNames({
  temporary: 0,
  noDad: 1,
  optimistic: 2,
  dadFailed: 3,
  homeAddress: 4,
  deprecated: 5,
  tentative: 6,
  permanent: 7,
  manageTempAddr: 8,
  noPrefixRoute: 9,
  mcAutoJoin: 10,
  stablePrivacy: 11,
});
export type AddressFlag = NameOf<typeof addressFlags>;

/** IFF_* (include/uapi/linux/if.h). `running`: operState is up or unknown. `lowerUp`: the driver sees a carrier. */
export const linkFlags = bitNames({
  up: 0,
  broadcast: 1,
  debug: 2,
  loopback: 3,
  pointToPoint: 4,
  noTrailers: 5,
  running: 6,
  noArp: 7,
  promisc: 8,
  allMulti: 9,
  master: 10,
  slave: 11,
  multicast: 12,
  portSel: 13,
  autoMedia: 14,
  dynamic: 15,
  lowerUp: 16,
  dormant: 17,
  echo: 18,
});
export type LinkFlag = NameOf<typeof linkFlags>;

/** RTEXT_FILTER_*, what a list of links is to have. `skipStats`: without the counters a link is half the size. */
export const linkExtensions = bitNames({ vf: 0, bridgeVlan: 1, bridgeVlanCompressed: 2, skipStats: 3 });

/** RTM_F_*. `cloned`: an entry made from a route, by a redirect, a path MTU or a look-up, and no route of anybody's. */
export const routeFlags = bitNames({ notify: 8, cloned: 9, prefix: 11, lookupTable: 12, fibMatch: 13 });

/**
 * MPTCP_PM_ADDR_FLAG_*, see ip-mptcp(8). `implicit`: made by the kernel for a subflow from an address without an
 * endpoint; adding that address replaces it. `laminar` is of Linux 6.18; older kernels drop it without a word, so read
 * back what was added. Of all flags only `backup` and `fullmesh` can be changed in place.
 */
export const endpointFlags = bitNames({
  signal: 0,
  subflow: 1,
  backup: 2,
  fullmesh: 3,
  implicit: 4,
  laminar: 5,
});
export type EndpointFlag = NameOf<typeof endpointFlags>;

/** MPTCP_PM_EV_FLAG_*. The second replaces the attribute SERVER_SIDE since Linux 6.18. */
export const eventFlags = bitNames({ denyJoinId0: 0, serverSide: 1 });

/** MPTCP_SUBFLOW_FLAG_*: MP_CAPABLE or MP_JOIN, and backup, each as the peer sent it (Rem) or we did (Loc). */
export const subflowFlags = bitNames({
  capableRemote: 0,
  capableLocal: 1,
  joinRemote: 2,
  joinLocal: 3,
  backupRemote: 4,
  backupLocal: 5,
  fullyEstablished: 6,
  connected: 7,
  mapValid: 8,
});
export type SubflowFlag = NameOf<typeof subflowFlags>;

/** MPTCP_INFO_FLAG_* */
export const mptcpInfoFlags = bitNames({ fallback: 0, remoteKeyReceived: 1 });
export type MptcpInfoFlag = NameOf<typeof mptcpInfoFlags>;
