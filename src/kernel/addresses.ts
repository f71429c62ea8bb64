import { type AddressMessage, addressMessage, addressRequest } from "./messages/codecs.ts";
import type { AddressFlag } from "./messages/flags.ts";
import type { Bits } from "./netlink/bits.ts";
import { body, type Dump, type NetlinkConnection } from "./netlink/connection.ts";
import type { NetlinkMessage } from "./netlink/wire.ts";
import { type Change, RTM_DELADDR, RTM_GETADDR, RTM_NEWADDR } from "./rtnetlink.ts";
import { AF_INET, AF_INET6, AF_UNSPEC } from "./socket-numbers.ts";

export { type AddressFlag, addressFlags } from "./messages/flags.ts";

/** IP addresses of interfaces (net/ipv4/devinet.c, net/ipv6/addrconf.c; include/uapi/linux/if_addr.h). */
export type Address = {
  readonly ifIndex: number;
  readonly family: 4 | 6;
  /** The host's own: IFA_LOCAL, which differs from IFA_ADDRESS on point-to-point links. */
  readonly address: string;
  /** The other end of a point-to-point link. */
  readonly peer?: string;
  readonly prefixLength: number;
  /** RT_SCOPE_*: 0 universe, 200 site, 253 link, 254 host. 169.254/16 is 0 unless its maker said otherwise. */
  readonly scope: number;
  readonly flags: Bits<AddressFlag>;
  /** When it was made: hundredths of seconds since boot, modulo 2³². */
  readonly created: number;
  /** Seconds that are left; Infinity: for ever. */
  readonly validLifetime: number;
  /** As above; 0: deprecated, not to be used for new connections. */
  readonly preferredLifetime: number;
};

/** The addresses of all interfaces and both families, or of those that are asked for. */
export function dumpAddresses(
  connection: NetlinkConnection,
  only: { family?: 4 | 6; ifIndex?: number } = {},
): Promise<Dump<Address>> {
  const family = only.family === undefined ? AF_UNSPEC : only.family === 4 ? AF_INET : AF_INET6;
  const value = { family, ifIndex: only.ifIndex };
  return connection.dump(
    { what: "list addresses", type: RTM_GETADDR, body: body(addressRequest, value) },
    decodeAddress,
  );
}

/** The address of an RTM_NEWADDR or RTM_DELADDR; undefined for other messages and other families. */
export function decodeAddress(message: NetlinkMessage): Address | undefined {
  if (message.type !== RTM_NEWADDR && message.type !== RTM_DELADDR) return undefined;
  const address = addressMessage.decode(message);
  const own = address.local ?? address.address;
  const { family } = address;
  if (own === undefined || (family !== AF_INET && family !== AF_INET6)) return undefined;
  return toAddress(address, own, family === AF_INET ? 4 : 6);
}

/** "new" is also a change of flags or lifetimes. */
export function decodeAddressEvent(message: NetlinkMessage): Change<"address", Address> | undefined {
  const address = decodeAddress(message);
  return address && { change: message.type === RTM_NEWADDR ? "new" : "deleted", address };
}

function toAddress(decoded: AddressMessage, address: string, family: 4 | 6): Address {
  const { ifIndex, prefixLength, scope, cacheInfo, address: peer } = decoded;
  const own = {
    ifIndex,
    family,
    address,
    prefixLength,
    scope,
    flags: decoded.flags ?? decoded.oldFlags,
    created: cacheInfo?.created ?? 0,
    validLifetime: lifetime(cacheInfo?.valid),
    preferredLifetime: lifetime(cacheInfo?.preferred),
  };
  return peer === undefined || peer === address ? own : { ...own, peer };
}

/** INFINITY_LIFE_TIME (include/net/addrconf.h) is all ones. */
function lifetime(seconds = 0xffffffff): number {
  return seconds === 0xffffffff ? Number.POSITIVE_INFINITY : seconds;
}
