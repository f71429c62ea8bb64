/**
 * Milliseconds between two REMOVE_ADDR (RFC 8684, 3.4.2) of a connection, and from an ADD_ADDR to the next REMOVE_ADDR:
 * the time that a peer gets to deal with the first. A Linux peer drops a REMOVE_ADDR that comes earlier, as
 * `removalCounter` explains (kernel/counters.ts). The kernel does not space them, so mptcpd does: where it deletes
 * endpoints, and where path managers withdraw addresses. 200 ms also cover a path that varies its delay, which brings
 * together what was sent apart.
 */
export const REMOVAL_SPACING = 200;
