#define _GNU_SOURCE
#include "supervisor.h"

#include "answer.h"
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
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

int start_supervisor(const struct conversion *conversion, struct option_choice *choice, const char **step) {
	int channel[2];
	*step = "socketpair";
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0) return -errno;
	int error = move_above_standard_files(channel);
	if (error) return error;
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
		/* Whether or not it survives that. */
		if (choice) choose_options(choice);
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

int hand_over(int channel, int listener, bool restartable) {
	return send_descriptor(channel, restartable, listener);
}

/* The other end of hand_over: whether the listener came. */
static bool take_over(int channel, struct supervision *supervision) {
	int restartable = 0;
	bool came = receive_descriptor(channel, &restartable, &supervision->listener);
	supervision->restartable = restartable;
	return came && supervision->listener >= 0;
}

static long now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum {
	NO_GUARDIAN = -1,
	NO_END = -1,
	/* The worker's exit status once no task is under the filter; with any other one, a sanitizer's say, it has failed. */
	ALL_DONE = 42,
};

/*
 * Answers until the guardian is gone, which `guardian` tells by its hang-up, or for that many milliseconds. Ends with
 * the last task under the filter.
 */
static void work(const struct supervision *supervision, int guardian, int for_ms, bool with_sockets) {
	const long start = now_ms();
	answer_left_over(supervision, with_sockets);
	for (;;) {
		struct pollfd events[] = {{.fd = supervision->listener, .events = POLLIN}, {.fd = guardian}};
		int passed = for_ms == NO_END ? 0 : (int)(now_ms() - start);
		if (for_ms != NO_END && passed >= for_ms) return;
		if (poll(events, 2, for_ms == NO_END ? NO_END : for_ms - passed) <= 0) continue;
		/* First of all: from now on this process is the only one. */
		if (events[1].revents) return;
		if (events[0].revents & POLLIN) answer(supervision, with_sockets);
		/* Not at POLLERR: that is a poll() which a signal interrupts (kernel/seccomp.c, seccomp_notify_poll). */
		else if (events[0].revents & POLLHUP) _exit(ALL_DONE);
	}
}

/*
 * How long to wait before another worker replaces one that has lived so long: nothing, unless it was killed young. Then
 * the pauses double, up to some ten processes a second, which is next to no load, yet soon when it is over.
 */
static int pause_after(int pause_before, long lived_ms) {
	const int young_ms = 1000, longest_ms = 128;
	if (lived_ms >= young_ms) return 0;
	if (pause_before == 0) return 1;
	return pause_before < longest_ms ? 2 * pause_before : longest_ms;
}

/*
 * The life of both processes. The guardian waits for its worker to end, and the worker, when the guardian's end of the
 * pipe closes, goes on here as the guardian of a new one.
 */
static _Noreturn void guard(const struct supervision *supervision) {
	const int retry_ms = 1000;
	for (int pause = 0;;) {
		int life[2] = {-1, -1}, status = 0;
		long birth = now_ms();
		pid_t worker = pipe2(life, O_CLOEXEC) < 0 ? -1 : fork();
		if (worker == 0) {
			close(life[1]);
			work(supervision, life[0], NO_END, true);
			close(life[0]);
			pause = 0;
			continue;
		}
		if (life[0] >= 0) close(life[0]);
		if (worker > 0 && waitpid(worker, &status, 0) == worker && WIFEXITED(status) && WEXITSTATUS(status) == ALL_DONE)
			_exit(ALL_DONE);
		if (life[1] >= 0) close(life[1]);
		/* No caller waits for the next worker: this process does the work meanwhile. */
		if (worker < 0) {
			/* There may be no more processes or files. */
			work(supervision, NO_GUARDIAN, retry_ms, true);
			continue;
		}
		pause = pause_after(pause, now_ms() - birth);
		/* What the worker has died of, unless it was killed, might end this process, too: callers then get TCP. */
		bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		if (pause > 0) work(supervision, NO_GUARDIAN, pause, killed);
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
	struct supervision supervision = {
		.to_tcp = conversion->to_tcp, .debug = conversion->debug, .policy = conversion->policy};
	struct report report = {.step = "close_range"};
	/* Where the program has closed standard error, another file may get its number, which is not to be written to. */
	if (fcntl(STDERR_FILENO, F_GETFD) < 0) supervision.debug = false;
	report.error = keep_only(&channel, supervision.debug);
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
