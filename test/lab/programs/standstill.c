/*
 * A library that is loaded into mptcpd, for what a machine does that stands still, or a kernel that is slow. STANDSTILL is
 * "WHO WHAT FROM TO": WHO is "main" (the first thread) or "other" (any other); of its requests to netlink, counted from 1,
 * those from FROM to TO are subject to WHAT: "pause" sends them and then sleeps, "lose" does not send them at all.
 */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Longer than mptcpd waits for an answer. */
enum { PAUSE_MICROSECONDS = 6500000 };

ssize_t sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *to, socklen_t length) {
	static atomic_int count;
	char who[8] = "", what[8] = "";
	int first = 0, last = 0;
	const char *order = getenv("STANDSTILL");
	int subject = 0;
	if (order && sscanf(order, "%7s %7s %d %d", who, what, &first, &last) == 4 && to && to->sa_family == AF_NETLINK &&
	    (syscall(SYS_gettid) == getpid()) == (strcmp(who, "main") == 0)) {
		int number = atomic_fetch_add(&count, 1) + 1;
		subject = number >= first && number <= last;
	}
	if (subject && strcmp(what, "lose") == 0) return (ssize_t)size;
	ssize_t sent = syscall(SYS_sendto, fd, bytes, size, flags, to, length);
	if (subject) usleep(PAUSE_MICROSECONDS);
	return sent;
}
