/**
 * Milliseconds between two REMOVE_ADDR (RFC 8684, 3.4.2) of a connection, and from an ADD_ADDR to the next REMOVE_ADDR.
 * This gives a peer time to handle the first message: a Linux peer drops a REMOVE_ADDR that comes earlier, as
 * `removalCounter` explains (kernel/counters.ts). The kernel does not space these messages, so mptcpd does, both when
 * it deletes endpoints and when path managers withdraw addresses. 200 ms also cover a path with varying delay, on which
 * messages arrive closer together than they were sent.
 */
export const REMOVAL_SPACING = 200;
