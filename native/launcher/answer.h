/* One answer to a socket() that the filter of seccomp.c has stopped. */
#ifndef ANSWER_H
#define ANSWER_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * The request that is being answered, in memory that outlives the process that answers it. Only the one that answers
 * may write here, and its successor after its end; no process that it starts, which might outlive it.
 */
struct in_flight {
	union {
		struct seccomp_notif request;
		char room[256]; /* The kernel's structure may have grown (seccomp_unotify(2)). */
	};
	ino_t socket; /* 0 as long as there is none */
};

struct supervision {
	int listener;
	int proc;       /* /proc of our own pid namespace */
	ino_t network;  /* Which namespace we are in, see network_of. */
	bool to_tcp, debug;
	bool restartable; /* Signals interrupt calls that wait for their answer. */
	struct in_flight *in_flight;
};

/* Fills in all but the listener: 0, or -errno and `step`. */
int prepare_answers(struct supervision *supervision, const char **step);

/* Answers the call that waits at the listener, at once; without a socket the kernel goes on with it as it is. */
void answer(const struct supervision *supervision, bool with_socket);

/* Answers what a killed worker may have left: with its socket if the caller has that already, else as TCP. */
void answer_left_over(const struct supervision *supervision);

#endif
