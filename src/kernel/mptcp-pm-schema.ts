/**
 * The commands of the generic netlink family "mptcp_pm", and the values that its messages carry. The messages are in
 * messages/mptcp-pm.ts, events in mptcp-pm-events.ts.
 */
import { pmMessage } from "./messages/codecs.ts";
import { type EndpointFlag, endpointFlags } from "./messages/flags.ts";
import type { AddressAttributes } from "./messages/mptcp-pm.ts";
import type { Bits } from "./netlink/bits.ts";
import { ipFamily } from "./netlink/ip.ts";
import type { NetlinkMessage } from "./netlink/wire.ts";
import { AF_INET, AF_INET6 } from "./socket-numbers.ts";

export { pmMessage } from "./messages/codecs.ts";
export { type EndpointFlag, endpointFlags } from "./messages/flags.ts";

/** enum of MPTCP_PM_CMD_*. */
export const command = {
  addAddr: 1,
  delAddr: 2,
  getAddr: 3,
  flushAddrs: 4,
  setLimits: 5,
  getLimits: 6,
  setFlags: 7,
  announce: 8,
  remove: 9,
  subflowCreate: 10,
  subflowDestroy: 11,
} as const;

/** An address that the kernel's path manager uses, or with a token: one of a connection of the userspace one. */
export type Endpoint = {
  /** 1 to 255. */
  readonly id: number;
  readonly address: string;
  /** 0 none. */
  readonly port: number;
  readonly flags: Bits<EndpointFlag>;
  /** 0 any. */
  readonly ifIndex: number;
};

/** For a connection, of either peer's making: how many subflows beyond the first, how many ADD_ADDR are acted on. */
export type Limits = { readonly subflows: number; readonly addAddrAccepted: number };

export type NewEndpoint = {
  readonly address: string;
  readonly flags: Bits<EndpointFlag>;
  /** The kernel takes a free one if it is not given. */
  readonly id?: number;
  /** Only with the flag `signal`. */
  readonly port?: number;
  readonly ifIndex?: number;
};

/** One end of a subflow. */
export type SubflowEnd = { readonly address: string; readonly port?: number };

/** A local end: the address id that the peer knows it by, and the interface to bind to. */
export type LocalEnd = SubflowEnd & { readonly id?: number; readonly ifIndex?: number };

/** The two ends that tell a subflow from the others of its connection; both ports are needed. */
export type SubflowKey = {
  readonly token: number;
  readonly local: LocalEnd;
  readonly remote: SubflowEnd;
};

/** The endpoint of a message; undefined if it has none. */
export function toEndpoint(message: NetlinkMessage): Endpoint | undefined {
  const { address: endpoint } = pmMessage.decode(message);
  if (endpoint?.address === undefined) return undefined;
  const { id = 0, address, port = 0, flags = endpointFlags.of(), ifIndex = 0 } = endpoint;
  return { id, address, port, flags, ifIndex };
}

export function toAttributes(
  local: Omit<AddressAttributes, "family" | "address"> & { readonly address: string },
): AddressAttributes {
  const { address, id, port, flags, ifIndex } = local;
  return { family: ipFamily(address) === 4 ? AF_INET : AF_INET6, address, id, port, flags, ifIndex };
}

/** For messages: "10.0.0.1 port 80". */
export function nameOf({ address, port = 0 }: SubflowEnd): string {
  return port === 0 ? address : `${address} port ${port}`;
}

/** For messages: "subflow … to … of connection …". */
export function nameOfSubflow({ token, local, remote }: SubflowKey): string {
  return `subflow ${nameOf(local)} to ${nameOf(remote)} of connection ${tokenText(token)}`;
}

/** As `ip mptcp monitor` and `ss -M` print it, in eight hexadecimal digits. */
export function tokenText(token: number): string {
  return token.toString(16).padStart(8, "0");
}
