/** Numbers and types of sock_diag(7): include/uapi/linux/inet_diag.h. The messages are in messages/sock-diag.ts. */
export { type SubflowFlag, subflowFlags } from "./messages/flags.ts";

export const NETLINK_SOCK_DIAG = 4;
export const SOCK_DIAG_BY_FAMILY = 20;

/** enum of net/tcp_states.h; MPTCP sockets use the same. */
export const tcpStates = {
  established: 1,
  "syn-sent": 2,
  "syn-recv": 3,
  "fin-wait-1": 4,
  "fin-wait-2": 5,
  "time-wait": 6,
  close: 7,
  "close-wait": 8,
  "last-ack": 9,
  listen: 10,
  closing: 11,
  "new-syn-recv": 12,
} as const;
export type TcpState = keyof typeof tcpStates;

/** INET_DIAG_INFO, as an attribute and as a bit of `extensions`. */
const INET_DIAG_INFO = 2;
export const infoExtension = 1 << (INET_DIAG_INFO - 1);
