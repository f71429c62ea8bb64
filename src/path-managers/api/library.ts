/** All that path managers import but the simulation, in one: the build makes "mptcpd" and "mptcpd/…" of its parts. */
export * as mptcpd from "./index.ts";
export * as kernel from "./kernel.ts";
export * as netlink from "./netlink.ts";
