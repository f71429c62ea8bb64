/* An MPTCP socket that becomes TCP, in place. */
#ifndef BECOME_TCP_H
#define BECOME_TCP_H

#include "refused.h"

/* Whether it connects, is connected or was. */
bool has_connection(int socket);

/*
 * Puts a TCP socket in the place of the MPTCP socket, with all that was set so far (options, remembered hints, address,
 * file flags), and with the option of the call. NULL, or the obstacle, as words for the end of a line: then everything is
 * as it was.
 *
 * Not for a socket that is connected, connecting or listening, or that the program has elsewhere: in an epoll set, which
 * would go on with the old socket, or by another descriptor. Descriptors of other processes are not seen.
 */
const char *become_tcp(const struct option_host *host, const struct refused_call *call, const void *value,
                       unsigned length);

#endif
