/** What `import … from "mptcpd"` gives: path managers in TypeScript. See docs/path-managers.md. */

export { matchesGlob } from "../../base/glob.ts";
export type { Fields, Logger } from "../../base/log/log.ts";
export type { Announcement } from "../../control/connections/announcements.ts";
export type {
  AnnouncedAddress,
  CloseReason,
  Connection,
  Known,
  Place,
  SocketAddress,
  Subflow,
} from "../../control/connections/connection.ts";
export {
  ConnectionError,
  isConnectionClosed,
  takesCommands,
  tokenText,
} from "../../control/connections/connection.ts";
export type { Family } from "../../control/network/network.ts";
export type { PolicyConfig } from "../../control/policy/host-addresses.ts";
export type { LinkFlag } from "../../kernel/links.ts";
export type { Endpoint, EndpointFlag, Limits } from "../../kernel/mptcp-pm.ts";
export { type BitNames, Bits, type NameOf } from "../../kernel/netlink/bits.ts";
export { type ExtendedAck, KernelError, NetlinkError } from "../../kernel/netlink/errors.ts";
export { ipFamily } from "../../kernel/netlink/ip.ts";
export type { Hop, Route } from "../../kernel/routes.ts";
export {
  type AnnounceAddressOptions,
  type Connections,
  type CreateSubflowOptions,
  type Details,
  definePathManager,
  type Endpoints,
  type EndpointWish,
  type HandlerName,
  type Handlers,
  isPathManager,
  type OptionsSchema,
  type PathManager,
  type PathManagerDefinition,
  type WithdrawnAddress,
} from "../runtime/api.ts";
export type { LocalAddress, NetworkInterface, NetworkView } from "../runtime/network-view.ts";
export { logRefusal } from "../runtime/refusals.ts";
export { keepSubflows, type SubflowsKept, type SubflowsWanted } from "./keep-subflows.ts";
export * as option from "./option.ts";
