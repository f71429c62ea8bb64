/*
 * The answer to a program whose setsockopt or getsockopt the kernel has refused because the socket is MPTCP: by the class
 * that table.def gives the option.
 *
 * Asked once the kernel has refused, so an option that a newer kernel takes is the kernel's. What TCP would answer is not
 * known here but asked for: from a fresh TCP socket, the probe. Nothing is allocated, no lock is taken, libc's only part is
 * syscall(). errno is not kept.
 */
#ifndef REFUSED_H
#define REFUSED_H

#include "line.h"
#include "memory.h"
#include "table.h"

#include <stdbool.h>

enum option_policy {
	OPTIONS_TOLERATE, /* by the class */
	OPTIONS_TCP,      /* the socket becomes TCP for any class, if it can; if not, by the class */
	OPTIONS_REFUSE,   /* nothing: the caller is not to ask */
};

/* The program, and what may be done in its name. `context` is handed to each function. */
struct option_host {
	enum option_policy policy;
	struct option_memory *memory;
	void *context;
	/* The program's directory in /proc, -1 for the calling thread's. */
	int directory;
	/* A TCP socket (SOCK_STREAM, close-on-exec) of the program's network namespace and owner, or -errno. */
	int (*make_socket)(void *context, int family);
	/*
	 * Makes `number` of the program refer to `made` in place of `old`, keeping FD_CLOEXEC: 0, or -errno, where it no
	 * longer refers to `old` or the call is over.
	 */
	int (*put_in_place)(void *context, int number, int old, int made);
	/* A line under -d, with its line break; NULL without. */
	void (*say)(void *context, const struct line *line);
};

struct refused_call {
	int number; /* the socket's among the files of the program */
	int socket; /* the same socket, by a descriptor of this process that nobody else uses or closes */
	int error;  /* the kernel's */
	const struct option_row *row;
};

/* Whether it is the error of an option that MPTCP does not have. */
static inline bool is_refusal(int error) {
	return error == 92 /* ENOPROTOOPT */ || error == 95 /* EOPNOTSUPP */;
}

/* Whether it can be that error, or the one by which MPTCP refuses to set what a connection no longer needs. */
static inline bool may_be_refusal(int error) {
	return is_refusal(error) || error == 22 /* EINVAL */;
}

/* Whether an error of setsockopt(2) on an MPTCP socket means that MPTCP, and not the value, is the cause. */
bool is_refusal_to_set(const struct option_row *row, int socket, int error);

/* The option's row if the table has it and the socket is MPTCP; NULL: the kernel's answer stands. */
const struct option_row *concerned_row(int socket, int level, int name);

/* The answer: 0 or an errno, which may be the kernel's. */
int answer_set(const struct option_host *host, const struct refused_call *call, const void *value, unsigned length);

/* As above; 0 means that value and length have been written, as by getsockopt(2). */
int answer_get(const struct option_host *host, const struct refused_call *call, void *value, unsigned *length);

/* Has the kernel's answers stand for a socket that the program itself wanted to be MPTCP. */
void leave_to_kernel(const struct option_host *host, int socket);

#endif
