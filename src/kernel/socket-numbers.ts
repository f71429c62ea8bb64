/**
 * Numbers of address families and protocols, as socket(2), rtnetlink and sock_diag have them (include/uapi/linux/in.h).
 */
export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;

export const IPPROTO_TCP = 6;
export const IPPROTO_MPTCP = 262;
