/* What the processes of the supervisor have in common: see supervisor.h. */
#ifndef SUPERVISION_H
#define SUPERVISION_H

#include "../options/memory.h"
#include "../options/refused.h"

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
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
	/* A socket that may be becoming TCP, and the one that takes its place, by their cookies; 0: none. */
	uint64_t changing, replacement;
	int reuse; /* SO_REUSEADDR of the first, which the change may have altered */
};

struct supervision {
	int listener;
	int proc;       /* /proc of our own pid namespace */
	ino_t network;  /* Which namespace we are in, see network_of. */
	bool to_tcp, debug;
	bool restartable; /* Signals interrupt calls that wait for their answer. */
	enum option_policy policy;
	struct in_flight *in_flight;
	struct option_memory *memory; /* of hints: outlives its process, too */
};

/* Ends the call with a value, or -errno. It can only fail where nobody waits any more. */
void send_result(const struct supervision *supervision, int result);

/* The kernel goes on with the call as if there were no filter. */
void send_back(const struct supervision *supervision);

#endif
