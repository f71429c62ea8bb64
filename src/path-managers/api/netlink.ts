/** What `import … from "mptcpd/netlink"` gives: the netlink protocol with typed schemas. */

export type { AttributeNames } from "../../kernel/netlink/attribute-names.ts";
export { type BitNames, Bits, bitNames, type NameOf } from "../../kernel/netlink/bits.ts";
export {
  type Body,
  body,
  type ConnectionOptions,
  type Dump,
  NetlinkConnection,
  type Request,
  type Subscription,
} from "../../kernel/netlink/connection.ts";
export {
  ClosedError,
  FamilyNotFoundError,
  KernelError,
  NetlinkError,
  NetlinkProtocolError,
  NetlinkValueError,
  OverrunError,
  TimeoutError,
} from "../../kernel/netlink/errors.ts";
export {
  GenericFamily,
  NETLINK_GENERIC,
} from "../../kernel/netlink/generic.ts";
export { genericHeader, genericMessage } from "../../kernel/netlink/generic-message.ts";
export type { Decoder, Encoder } from "../../kernel/netlink/message-codec.ts";
export * from "../../kernel/netlink/schema.ts";
export type { NetlinkMessage, Output, Payload } from "../../kernel/netlink/wire.ts";
