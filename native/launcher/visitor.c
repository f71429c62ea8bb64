#define _GNU_SOURCE
#include "visitor.h"

#include "../options/socket_calls.h"
#include "descriptor.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Has this process killed when its parent ends. Changed ids, and the entry into a user namespace, undo it
 * (PR_SET_PDEATHSIG(2const)); it is for a parent that lives, which is asked afterwards.
 */
static void die_with(pid_t parent) {
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent) _exit(1);
}

static int make_socket(const struct wanted *wanted) {
	int made = kernel_socket(wanted->family, wanted->type | SOCK_CLOEXEC, wanted->protocol);
	return made < 0 ? -errno : made;
}

/* In the visitor: a socket, or -errno. */
static int visit(pid_t parent, const struct caller *caller, const struct wanted *wanted) {
	prctl(PR_SET_NAME, "mptcpize-visit");
	die_with(parent);
	if (!enter_network_of(caller)) return -EPERM;
	die_with(parent);
	if (!take_ids_of(caller)) return -EPERM;
	die_with(parent);
	/* All this was of the caller only if it waits still. */
	return still_waits(caller) ? make_socket(wanted) : -ESRCH;
}

static int make_socket_by_visitor(const struct caller *caller, const struct wanted *wanted) {
	int channel[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0) return -errno;
	pid_t self = getpid(), visitor = fork();
	if (visitor == 0) {
		close(channel[0]);
		int made = visit(self, caller, wanted);
		send_descriptor(channel[1], made < 0 ? made : 0, made < 0 ? -1 : made);
		_exit(0);
	}
	int error = visitor < 0 ? -errno : 0, made = -1;
	close(channel[1]);
	/* A visitor that is killed says nothing, but that it hangs up. */
	if (error == 0 && !receive_descriptor(channel[0], &error, &made)) error = -ECHILD;
	close(channel[0]);
	while (visitor > 0 && waitpid(visitor, NULL, 0) < 0 && errno == EINTR) continue;
	return made >= 0 ? made : error < 0 ? error : -EMFILE;
}

static int make_socket_here(const struct caller *caller, const struct wanted *wanted) {
	return take_ids_of(caller) ? make_socket(wanted) : -EPERM;
}

int make_socket_for(const struct caller *caller, ino_t own_network, const struct wanted *wanted) {
	ino_t network = network_of(caller->directory);
	if (network == 0) return -ESRCH;
	return network == own_network ? make_socket_here(caller, wanted) : make_socket_by_visitor(caller, wanted);
}
