#define _GNU_SOURCE
#include "supervisor.h"

#include "answer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64) /* Linux 6.6 */
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

/* How the supervisor's start went; `step` is a constant of the image that both sides have in common. */
struct report {
	int error;
	const char *step;
};

static _Noreturn void supervise(int channel, const struct conversion *conversion);

/* Takes the end of a child that sends no SIGCHLD. */
static void reap(pid_t child) {
	while (waitpid(child, NULL, __WCLONE) < 0 && errno == EINTR) continue;
}

int start_supervisor(const struct conversion *conversion, const char **step) {
	int channel[2];
	*step = "socketpair";
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0) return -errno;
	struct report report = {.step = "clone"};
	/* The supervisor takes no signals at all, from its first moment: a service's manager sends them to all of it. */
	sigset_t all, before;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	/* fork() but for the signal at the child's end, which the program might get, or may have set to be ignored. */
	long child = syscall(SYS_clone, 0, 0, 0, 0, 0);
	if (child < 0) report.error = -errno;
	if (child == 0) {
		/* Twice, so that the supervisor is no child of the program. */
		pid_t supervisor = fork();
		if (supervisor == 0) {
			close(channel[0]);
			supervise(channel[1], conversion);
		}
		if (supervisor < 0) {
			report.error = -errno;
			send(channel[1], &report, sizeof report, MSG_NOSIGNAL);
		}
		_exit(0);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(channel[1]);
	if (child > 0) {
		reap((pid_t)child);
		ssize_t length;
		do length = recv(channel[0], &report, sizeof report, 0);
		while (length < 0 && errno == EINTR);
		/* It was killed: by hand, or for a system call that is not allowed here. */
		if (length != sizeof report) report = (struct report){.error = -EPERM, .step = "killed at its start"};
	}
	*step = report.step;
	if (report.error == 0) return channel[0];
	close(channel[0]);
	return report.error;
}

union descriptor_message {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr header;
};

int hand_over(int channel, int listener, bool restartable) {
	union descriptor_message control = {.room = {0}};
	struct iovec payload = {.iov_base = &restartable, .iov_len = sizeof restartable};
	struct msghdr message = {
		.msg_iov = &payload,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof control.room,
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	*header = (struct cmsghdr){
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof listener)};
	memcpy(CMSG_DATA(header), &listener, sizeof listener);
	return sendmsg(channel, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The other end of hand_over: whether the listener came. */
static bool take_over(int channel, struct supervision *supervision) {
	union descriptor_message control;
	struct iovec payload = {.iov_base = &supervision->restartable, .iov_len = sizeof supervision->restartable};
	struct msghdr message = {
		.msg_iov = &payload,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof control.room,
	};
	if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) <= 0) return false;
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (!header) return false;
	memcpy(&supervision->listener, CMSG_DATA(header), sizeof supervision->listener);
	return true;
}

/*
 * Answers until the guardian is gone, which `guardian` tells by its hang-up; without one (-1), once at most. Ends with
 * the last task under the filter.
 */
static void work(const struct supervision *supervision, int guardian) {
	const int retry_ms = 1000;
	answer_left_over(supervision);
	do {
		struct pollfd events[] = {{.fd = supervision->listener, .events = POLLIN}, {.fd = guardian}};
		if (poll(events, 2, guardian < 0 ? retry_ms : -1) <= 0) continue;
		/* First of all: from now on this process is the only one. */
		if (events[1].revents) return;
		if (events[0].revents & POLLIN) answer(supervision);
		else if (events[0].revents) _exit(0);
	} while (guardian >= 0);
}

/*
 * The life of both processes. The guardian waits for its worker to end, and the worker, when the guardian's end of the
 * pipe closes, goes on here as the guardian of a new one.
 */
static _Noreturn void guard(const struct supervision *supervision) {
	for (;;) {
		int life[2] = {-1, -1};
		pid_t worker = pipe2(life, O_CLOEXEC) < 0 ? -1 : fork();
		if (worker > 0) {
			int status;
			close(life[0]);
			if (waitpid(worker, &status, 0) == worker && WIFEXITED(status)) _exit(0);
			close(life[1]);
		} else {
			/* Where there may be no more processes or files, this one does the work meanwhile. */
			if (life[1] >= 0) close(life[1]);
			work(supervision, worker == 0 ? life[0] : -1);
			if (life[0] >= 0) close(life[0]);
		}
	}
}

/* Keeps of the launcher's files the channel, and standard error where there will be something to say. */
static int keep_only(int *channel, bool standard_error) {
	const int place = STDERR_FILENO + 1;
	if (*channel != place && dup2(*channel, place) < 0) return -errno;
	*channel = place;
	if (syscall(SYS_close_range, place + 1, UINT_MAX, 0) < 0) return -errno;
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	if (!standard_error) close(STDERR_FILENO);
	return 0;
}

static _Noreturn void supervise(int channel, const struct conversion *conversion) {
	struct supervision supervision = {.to_tcp = conversion->to_tcp, .debug = conversion->debug};
	struct report report = {.step = "close_range"};
	report.error = keep_only(&channel, conversion->debug);
	if (report.error == 0) report.error = prepare_answers(&supervision, &report.step);
	/* A parent that ignores SIGCHLD would not learn how its child ended. */
	signal(SIGCHLD, SIG_DFL);
	/* The limit is the program's, which may be in a place with no file to spare. */
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	/* Neither the terminal nor a directory that is to be unmounted has to do with us. */
	setsid();
	if (chdir("/") < 0) report = (struct report){.error = -errno, .step = "chdir"};
	prctl(PR_SET_NAME, "mptcpize");
	if (send(channel, &report, sizeof report, MSG_NOSIGNAL) < 0 || report.error) _exit(1);
	if (!take_over(channel, &supervision)) _exit(1);
	close(channel);
	/* The kernel then runs the caller and us in turns on one processor, which is faster; older ones do without. */
	ioctl(supervision.listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	guard(&supervision);
}
