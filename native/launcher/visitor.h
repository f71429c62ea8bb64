/* Sockets in the caller's name. Those of another network namespace makes a process that goes there and does not return. */
#ifndef VISITOR_H
#define VISITOR_H

#include "caller.h"

struct wanted {
	int family, type, protocol; /* as of socket(2) */
};

/*
 * A socket of the caller's network namespace and owner; or -errno. `own_network`: of this process, see network_of.
 * This process has the caller's ids afterwards, see take_ids_of.
 *
 * In another namespace a visitor makes it, and gives it to this process and to nobody else: if this process is killed
 * meanwhile, the socket goes, and so does the visitor. It has no part in the answer, which another worker may be
 * giving by then.
 */
int make_socket_for(const struct caller *caller, ino_t own_network, const struct wanted *wanted);

#endif
