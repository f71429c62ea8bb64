/* What native/options may do in the name of a caller of the supervisor. */
#ifndef CALLER_OPTION_HOST_H
#define CALLER_OPTION_HOST_H

#include "caller.h"
#include "supervision.h"

/* For as long as both live. */
struct on_behalf {
	const struct supervision *supervision;
	const struct caller *caller;
};

struct option_host option_host_of(const struct on_behalf *on_behalf);

/* SO_COOKIE; 0 if the kernel gives none. */
uint64_t cookie_of_socket(int socket);

#endif
