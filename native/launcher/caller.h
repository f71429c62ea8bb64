/* The thread whose call has been stopped by the filter of seccomp.c, and waits for its answer. */
#ifndef CALLER_H
#define CALLER_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct caller {
	int listener;  /* at which its call waits */
	uint64_t id;   /* of that call */
	pid_t pid;     /* of the thread */
	int directory; /* its own in /proc */
};

/*
 * Opens the caller's directory in /proc: false, with nothing open, if it waits no longer. As long as its call waits,
 * what the directory says is the caller's.
 */
bool open_caller(int listener, int proc, const struct seccomp_notif *request, struct caller *caller);
void close_caller(const struct caller *caller);

/*
 * Whether the caller still waits: it may have been killed, and a signal may have taken it back. To be asked after each
 * step that takes time: the process id may be another process' by then.
 */
bool still_waits(const struct caller *caller);

/*
 * A number for the network namespace of a process, by its directory in /proc, or 0. Each namespace has files of its
 * own in /proc/PID/net. For ns/net, which says the same, one needs the right to trace the process (fs/proc/proc_net.c,
 * namespaces.c): a daemon that has given up root denies that to a supervisor without CAP_SYS_PTRACE.
 */
ino_t network_of(int directory);

/* Moves this process into the caller's network namespace. There is no way back. */
bool enter_network_of(const struct caller *caller);

/*
 * Sockets belong to the ids of the process that makes them, by which firewalls and diag tell them apart. The directory
 * of a process always has its effective ids (fs/proc/base.c, task_dump_owner), and file system ids that differ are
 * history.
 */
bool take_ids_of(const struct caller *caller);
/* Takes back the ids of this process, with the rights that go with them. */
void take_own_ids(void);

/* The number that a socket, by its inode, has among the caller's files, or -1. */
int find_socket(const struct caller *caller, ino_t socket);

#endif
