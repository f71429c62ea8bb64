/** What `import … from "mptcpd"` gives: path managers in TypeScript. See docs/path-managers.md. */
export { matchesGlob } from "../config/glob.ts";
export type { Announcement } from "../connections/announcements.ts";
export type {
  AnnouncedAddress,
  CloseReason,
  Connection,
  Known,
  Place,
  SocketAddress,
  Subflow,
} from "../connections/connection.ts";
export { tokenText } from "../connections/connection.ts";
export { ConnectionError, isConnectionClosed } from "../connections/errors.ts";
export type { LinkFlag } from "../kernel/links.ts";
export type { Endpoint, EndpointFlag, Limits } from "../kernel/mptcp-pm.ts";
export type { Hop, Route } from "../kernel/routes.ts";
export type { Fields, Logger } from "../log/log.ts";
export { type BitNames, Bits, type NameOf } from "../netlink/bits.ts";
export { type ExtendedAck, KernelError, NetlinkError } from "../netlink/errors.ts";
export type { Family } from "../network/network.ts";
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
} from "../plugins/api.ts";
export type { LocalAddress, NetworkInterface, NetworkView } from "../plugins/network-view.ts";
export { logRefusal } from "../plugins/refusal.ts";
export type { PolicyConfig } from "../policy/judged.ts";
export { keepSubflows, type SubflowsKept, type SubflowsWanted } from "./keep-subflows.ts";
export * as option from "./option.ts";
export { takesCommands } from "./takes-commands.ts";
