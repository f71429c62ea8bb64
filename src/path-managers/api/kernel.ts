/** What `import … from "mptcpd/kernel"` gives: MPTCP, links, addresses, routes and sockets as the kernel has them. */

export type { Clock, Timer } from "../../base/clock.ts";
export { type Address, type AddressFlag, addressFlags, dumpAddresses } from "../../kernel/addresses.ts";
export { dumpLinks, type Link, type LinkFlag, linkFlags, type OperState } from "../../kernel/links.ts";
export {
  type Endpoint,
  type EndpointFlag,
  endpointFlags,
  type Limits,
  type LocalEnd,
  type MptcpEvent,
  MptcpPm,
  type NewEndpoint,
  type SubflowEnd,
  type SubflowKey,
} from "../../kernel/mptcp-pm.ts";
export type { ConnectionEvent, MptcpEventHandlers, SubflowEvent } from "../../kernel/mptcp-pm-events.ts";
export {
  type ConnectOptions,
  type ListenOptions,
  mptcpConnect,
  mptcpListen,
  type StreamProtocol,
} from "../../kernel/native-sockets.ts";
export type { AttributeNames } from "../../kernel/netlink/attribute-names.ts";
export { type BitNames, Bits, type NameOf } from "../../kernel/netlink/bits.ts";
export {
  type Body,
  type ConnectionOptions,
  type Dump,
  NetlinkConnection,
  type Request,
  type Subscription,
} from "../../kernel/netlink/connection.ts";
export type { Decoder, Encoder } from "../../kernel/netlink/message-codec.ts";
export type { Decoded, Schema } from "../../kernel/netlink/schema.ts";
export type { OpenTransport, Transport, TransportOptions } from "../../kernel/netlink/socket.ts";
export type { NetlinkMessage, Payload } from "../../kernel/netlink/wire.ts";
export { Input, Output } from "../../kernel/netlink/wire.ts";
export {
  dumpRoutes,
  type Hop,
  type Lookup,
  lookupRoute,
  type Route,
  type RouteSelection,
} from "../../kernel/routes.ts";
export { openRtnetlink } from "../../kernel/rtnetlink.ts";
export {
  type CarryingSocket,
  type ConnectionOutline,
  type MptcpConnection,
  type MptcpInfo,
  type MptcpInfoFlag,
  type MptcpListener,
  type MptcpSubflow,
  type Socket,
  type SocketAddress,
  Sockets,
  type SubflowFlag,
  type SubflowInfo,
  type SubflowOutline,
  type TcpInfo,
  type TcpSocket,
  type TcpState,
} from "../../kernel/sockets.ts";
export { type MptcpSysctlName, type MptcpSysctls, SysctlError, Sysctls } from "../../kernel/sysctl.ts";
