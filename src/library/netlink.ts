/** What `import … from "mptcpd/netlink"` gives: the netlink protocol with typed schemas. */
export { type BitNames, Bits, bitNames, type NameOf } from "../netlink/bits.ts";
export {
  type Body,
  body,
  type ConnectionOptions,
  type Dump,
  NetlinkConnection,
  type Request,
  type Subscription,
} from "../netlink/connection.ts";
export {
  ClosedError,
  FamilyNotFoundError,
  KernelError,
  NetlinkError,
  NetlinkProtocolError,
  NetlinkValueError,
  OverrunError,
  TimeoutError,
} from "../netlink/errors.ts";
export { GenericFamily, genericHeader, genericMessage, NETLINK_GENERIC } from "../netlink/generic.ts";
export * from "../netlink/schema.ts";
export type { NetlinkMessage } from "../netlink/wire.ts";
