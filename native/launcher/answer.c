#define _GNU_SOURCE
#include "answer.h"

#include "caller.h"
#include "listener.h"
#include "option_answer.h"
#include "option_host.h"
#include "shared_memory.h"
#include "visitor.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1) /* Linux 5.14 */
#endif

/* Whether the program wants the very socket that it gets: then there is nothing to report. */
static bool is_asked_for(const struct supervision *supervision, const struct wanted *wanted) {
	return (int)supervision->in_flight->request.data.args[2] == wanted->protocol;
}

/* The lines of libmptcpwrap.so. */
static void report_attempt(const struct supervision *supervision, const struct wanted *wanted, int fd) {
	if (supervision->debug && !is_asked_for(supervision, wanted))
		dprintf(STDERR_FILENO,
			"mptcpwrap: changing socket protocol from 0x%x to 0x%x (%s) for family 0x%x type 0x%x fd %d\n",
			(int)supervision->in_flight->request.data.args[2], wanted->protocol,
			supervision->to_tcp ? "IPPROTO_TCP" : "IPPROTO_MPTCP", wanted->family, wanted->type, fd);
}

static void report_refusal(const struct supervision *supervision, const struct wanted *wanted, int error) {
	report_attempt(supervision, wanted, -1);
	if (supervision->debug && !is_asked_for(supervision, wanted))
		dprintf(STDERR_FILENO,
			"mptcpwrap: refused with errno %d, keeping socket protocol 0x%x for family 0x%x type 0x%x\n",
			error, (int)supervision->in_flight->request.data.args[2], wanted->family, wanted->type);
}

/* Puts the socket among the caller's files and answers with its number there: that, or -1. */
static int give(const struct supervision *supervision, int socket, bool close_on_exec) {
	struct seccomp_notif_addfd addfd = {
		.id = supervision->in_flight->request.id,
		.srcfd = socket,
		.newfd_flags = close_on_exec ? O_CLOEXEC : 0,
		/*
		 * In one step, lest a signal between the two take the caller back to its call, with a file too many.
		 * Else better in two: were we killed within the one, the caller would get a 0 that means nothing
		 * (kernel/seccomp.c, seccomp_notify_addfd takes back the file but not the reply).
		 */
		.flags = supervision->restartable ? SECCOMP_ADDFD_FLAG_SEND : 0,
	};
	int fd = listener_ioctl(supervision->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd);
	if (fd >= 0 && !supervision->restartable) send_result(supervision, fd);
	return fd;
}

static bool answer_with_socket(const struct supervision *supervision, const struct caller *caller) {
	struct in_flight *in_flight = supervision->in_flight;
	const struct wanted wanted = {
		.family = (int)in_flight->request.data.args[0],
		.type = (int)in_flight->request.data.args[1],
		.protocol = supervision->to_tcp ? IPPROTO_TCP : IPPROTO_MPTCP,
	};
	int made = make_socket_for(caller, supervision->network, &wanted);
	/* An answer would reach nobody, and there is nothing to report. */
	bool waits = still_waits(caller);
	if (made < 0) {
		if (waits) report_refusal(supervision, &wanted, -made);
		return false;
	}
	struct stat file;
	if (fstat(made, &file) == 0) in_flight->socket = file.st_ino;
	if (is_asked_for(supervision, &wanted)) remember_asked_for(supervision->memory, cookie_of_socket(made));
	int fd = waits ? give(supervision, made, wanted.type & SOCK_CLOEXEC) : -1;
	close(made);
	if (fd >= 0) report_attempt(supervision, &wanted, fd);
	return fd >= 0;
}

/* By the call; false: the kernel is to go on with it. */
static bool answer_request(const struct supervision *supervision, const struct caller *caller) {
	if (supervision->in_flight->request.data.nr == SYS_socket) return answer_with_socket(supervision, caller);
	return answer_option(supervision, caller);
}

void answer(const struct supervision *supervision, bool with_socket) {
	struct caller caller;
	memset(supervision->in_flight, 0, sizeof *supervision->in_flight);
	/* The caller may have been killed meanwhile. */
	if (ioctl(supervision->listener, SECCOMP_IOCTL_NOTIF_RECV, &supervision->in_flight->request) < 0) return;
	bool opened = open_caller(supervision->listener, supervision->proc, &supervision->in_flight->request, &caller);
	/* Never worse than without us: the caller makes its own socket, or gets the error of doing so. */
	if (!with_socket || !opened || !answer_request(supervision, &caller)) send_back(supervision);
	if (opened) close_caller(&caller);
}

static bool answer_again(const struct supervision *supervision, const struct caller *caller, bool with_socket) {
	if (supervision->in_flight->request.data.nr != SYS_socket) {
		undo_change(supervision, caller);
		return with_socket && answer_option(supervision, caller);
	}
	/* Not made anew: what has killed one worker shall not kill the next. */
	ino_t socket = supervision->in_flight->socket;
	int fd = socket != 0 ? find_socket(caller, socket) : -1;
	if (fd >= 0) send_result(supervision, fd);
	return fd >= 0;
}

void answer_left_over(const struct supervision *supervision, bool with_socket) {
	struct caller caller;
	bool opened = open_caller(supervision->listener, supervision->proc, &supervision->in_flight->request, &caller);
	if (!opened || !answer_again(supervision, &caller, with_socket)) send_back(supervision);
	if (opened) close_caller(&caller);
}

/* Whether a /proc is that of our pid namespace, from which the listener's process ids are. */
static bool is_own(int proc) {
	char self[16] = "";
	return readlinkat(proc, "self", self, sizeof self - 1) > 0 && atoi(self) == getpid();
}

int prepare_answers(struct supervision *supervision, const char **step) {
	struct seccomp_notif_sizes sizes;
	*step = "seccomp";
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0) return -errno;
	if (sizes.seccomp_notif > sizeof supervision->in_flight->room) return -EOVERFLOW;
	*step = "/proc";
	supervision->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (supervision->proc < 0) return -errno;
	if (!is_own(supervision->proc)) return -ESRCH;
	int self = openat(supervision->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	supervision->network = network_of(self);
	close(self);
	if (supervision->network == 0) return -ENOENT;
	*step = "mmap";
	supervision->in_flight = shared_memory(sizeof *supervision->in_flight);
	supervision->memory = shared_memory(sizeof *supervision->memory);
	return supervision->in_flight && supervision->memory ? 0 : -errno;
}
