/*
 * The way for programs that no library reaches: a seccomp filter hands each socket() that asks for TCP to a
 * supervisor, which answers with an MPTCP socket made in the caller's name and network namespace; and each call
 * about an option that MPTCP refuses, which gets the answer of native/options.
 *
 * What remains different from a socket of the program's own: its cgroup and its label of a security module are the
 * launcher's. A task takes one such filter only: where another is in force the answer is -EBUSY, and so it is for a
 * program that wants to install its own later. Kernel 5.14 or later; see supervisor.h for what happens when the
 * supervisor is killed.
 */
#ifndef SECCOMP_H
#define SECCOMP_H

#include "../options/refused.h"

#include <stdbool.h>

struct conversion {
	bool to_tcp; /* the opposite: MPTCP sockets become TCP ones (--off) */
	bool debug;  /* a line on standard error for each socket, and each option that MPTCP refuses */
	enum option_policy policy; /* about these options */
};

/*
 * Puts this process, and all that it becomes and starts, under the filter, and starts the supervisor. What remains
 * is this process as it was: no child, no open file, no changed signal. `no_new_privs` tells whether it had to be
 * set. 0, or -errno, `step` then names what failed; this process is still free of the filter.
 */
int convert_by_seccomp(const struct conversion *conversion, bool *no_new_privs, const char **step);

#endif
