/* Sockets of another network namespace, made by a process that goes there and does not return. */
#ifndef VISITOR_H
#define VISITOR_H

#include "caller.h"

struct wanted {
	int family, type, protocol; /* as of socket(2) */
};

/*
 * A socket of the caller's network namespace and owner; or -errno.
 *
 * The visitor gives it to this process, and to nobody else: if this process is killed meanwhile, the socket goes, and
 * so does the visitor. It has no part in the answer, which another worker may be giving by then.
 */
int make_socket_by_visitor(const struct caller *caller, const struct wanted *wanted);

/* The same for a caller in this process' network namespace. */
int make_socket_here(const struct caller *caller, const struct wanted *wanted);

#endif
