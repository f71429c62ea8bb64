/** What `import … from "mptcpd/kernel"` gives: MPTCP, links, addresses, routes and sockets as the kernel has them. */
export { type Address, addressFlags, dumpAddresses } from "../kernel/addresses.ts";
export { dumpLinks, type Link, linkFlags } from "../kernel/links.ts";
export {
  type Endpoint,
  type EndpointFlag,
  endpointFlags,
  type Limits,
  type MptcpEvent,
  MptcpPm,
} from "../kernel/mptcp-pm.ts";
export { dumpRoutes, lookupRoute, type Route } from "../kernel/routes.ts";
export { openRtnetlink } from "../kernel/rtnetlink.ts";
export {
  type CarryingSocket,
  type MptcpConnection,
  type MptcpListener,
  type MptcpSubflow,
  type SocketAddress,
  Sockets,
} from "../kernel/sockets.ts";
export { mptcpConnect, mptcpListen } from "../kernel/streams.ts";
export { SysctlError, Sysctls } from "../kernel/sysctl.ts";
