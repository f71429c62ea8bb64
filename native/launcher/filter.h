/* The program of the seccomp filter (seccomp(2)): which calls wait for the supervisor's answer. */
#ifndef FILTER_H
#define FILTER_H

#include "option_choice.h"

#include <linux/filter.h>
#include <stdbool.h>

enum { FILTER_ROOM = 1024 };

struct filter {
	unsigned short length;
	struct sock_filter code[FILTER_ROOM];
};

/*
 * socket(), where it asks for TCP, or `to_tcp` for MPTCP; if `choice` is not NULL, also where it asks for MPTCP anyway,
 * and setsockopt() and getsockopt() of the options that were chosen.
 */
void write_filter(struct filter *filter, bool to_tcp, const struct option_choice *choice);

#endif
