/*
 * Traces the seccomp supervisor under which it runs, whose worker's process id comes on standard input once it has
 * said "ready", while that answers a call about an option of a socket: from stop to stop at those system calls that
 * change something or look at the caller. The call is "hint", sets a TTL; "read", reads one that was set; or "tcp", which
 * makes the socket, bound and with a TTL, TCP.
 *   kill CALL STEP    kills the worker at that stop: "before setsockopt: error 0 protocol 6 ttl 60 reuse 0 cloexec 1
 *                     same port, 0 left", or "complete" if the answer takes fewer
 *   interrupt CALL STEP
 *                     the same, but if it is the start of an ioctl, lets that fail with EINTR, and the worker live
 *   swap CALL STEP    gives the socket's number to a pipe at that stop: "before ioctl: the pipe is there"
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tracing.h"

enum { FILES = 256, TTL = 60 };

static int option_of(int fd, int level, int option) {
	int value = -1;
	socklen_t length = sizeof value;
	return getsockopt(fd, level, option, &value, &length) < 0 ? -errno : value;
}

static int set_option(int fd, int level, int option, int value) {
	return setsockopt(fd, level, option, &value, sizeof value) < 0 ? errno : 0;
}

static in_port_t port_of(int fd) {
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof address;
	return getsockname(fd, (struct sockaddr *)&address, &length) < 0 ? 0 : address.sin_port;
}

static int count_files(void) {
	int count = 0;
	for (int fd = 0; fd < FILES; fd++) count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static int make_socket(const char *call) {
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
	if (strcmp(call, "hint") != 0 && set_option(fd, IPPROTO_IP, IP_TTL, TTL) != 0) fail("IP_TTL");
	return fd;
}

/* An error, or 0. */
static int do_call(const char *call, int fd) {
	if (strcmp(call, "hint") == 0) return set_option(fd, IPPROTO_IP, IP_TTL, TTL);
	if (strcmp(call, "tcp") == 0) return set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000);
	int value = option_of(fd, IPPROTO_IP, IP_TTL);
	return value < 0 ? -value : value == TTL ? 0 : 255;
}

/* Makes the call, and ends with its error, once a byte comes. A process of its own, but with this one's files. */
static pid_t start_caller(const char *call, int fd, int start) {
	char byte;
	long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0) fail("clone");
	if (pid > 0) return (pid_t)pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(start, &byte, 1) != 1) _exit(255);
	_exit(do_call(call, fd));
}

/* NULL: nothing would be different at that. */
static const char *name_of(uint64_t call) {
	switch (call) {
	case SYS_ioctl: return "ioctl";
	case SYS_openat: return "openat";
	case SYS_close: return "close";
	case SYS_socket: return "socket";
	case SYS_bind: return "bind";
	case SYS_setsockopt: return "setsockopt";
	case SYS_pidfd_getfd: return "pidfd_getfd";
	case SYS_pwrite64: return "pwrite64";
	default: return NULL;
	}
}

/* To the given step of the answer: false if it takes fewer, and the caller has ended. */
static bool go_to(pid_t caller, int step, struct stop *stop) {
	*stop = (struct stop){.pid = worker, .call = SYS_ioctl};
	for (int i = 1; i < step; i += name_of(stop->call) != NULL) {
		ptrace(PTRACE_SYSCALL, stop->pid, 0, 0);
		if (!next_stop(caller, stop)) return false;
	}
	return true;
}

static void wait_for(pid_t caller, int *error) {
	int status;
	if (waitpid(caller, &status, 0) != caller) fail("waitpid");
	*error = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Lets the caller make its call, and the worker go to that step of its answer. False, and says so: it has no such step. */
static bool begin(pid_t caller, int start, int step, struct stop *stop) {
	trace(worker);
	if (write(start, "", 1) != 1) fail("write");
	follow_to_receipt(caller);
	if (go_to(caller, step, stop)) return true;
	puts("complete");
	return false;
}

/* Lets the system call at whose start it stands do nothing, and fail as if by a signal. */
static void interrupt(pid_t pid, pid_t caller) {
	struct stop end;
	set_call(pid, -1);
	ptrace(PTRACE_SYSCALL, pid, 0, 0);
	if (!next_stop(caller, &end) || end.entry) fail("no end");
	set_result(pid, -EINTR);
}

static bool is_question(const struct stop *stop) {
	return stop->entry && stop->call == SYS_ioctl && stop->argument != SECCOMP_IOCTL_NOTIF_RECV;
}

static void kill_worker(void) {
	kill(worker, SIGKILL);
	if (waitpid(worker, NULL, __WALL) != worker) fail("waitpid");
}

static int disturb_at(const char *call, int step, bool kills) {
	int start[2], error;
	struct stop stop;
	int fd = make_socket(call), port = port_of(fd);
	if (pipe(start) < 0) fail("pipe");
	int files = count_files();
	pid_t caller = start_caller(call, fd, start[0]);
	if (!begin(caller, start[1], step, &stop)) return 0;
	if (kills) kill_worker();
	else {
		if (is_question(&stop)) interrupt(stop.pid, caller);
		ptrace(PTRACE_DETACH, stop.pid, 0, 0);
	}
	wait_for(caller, &error);
	printf("%s %s: error %d protocol %d ttl %d reuse %d cloexec %d %s port, %d left\n", stop.entry ? "before" : "after",
	       name_of(stop.call), error, option_of(fd, SOL_SOCKET, SO_PROTOCOL), option_of(fd, IPPROTO_IP, IP_TTL),
	       option_of(fd, SOL_SOCKET, SO_REUSEADDR), fcntl(fd, F_GETFD), port_of(fd) == port ? "same" : "another",
	       count_files() - files);
	return 0;
}

static int swap_at(const char *call, int step) {
	int start[2], ends[2], error;
	struct stop stop;
	struct stat before, after;
	int fd = make_socket(call);
	if (pipe(start) < 0 || pipe(ends) < 0 || fstat(ends[0], &before) < 0) fail("pipe");
	pid_t caller = start_caller(call, fd, start[0]);
	if (!begin(caller, start[1], step, &stop)) return 0;
	if (dup2(ends[0], fd) < 0) fail("dup2");
	ptrace(PTRACE_DETACH, stop.pid, 0, 0);
	wait_for(caller, &error);
	bool is_there = fstat(fd, &after) == 0 && after.st_ino == before.st_ino;
	printf("%s %s: the pipe is %s\n", stop.entry ? "before" : "after", name_of(stop.call), is_there ? "there" : "gone");
	return 0;
}

int main(int argc, char **argv) {
	if (argc < 4) return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	if (scanf("%d", &worker) != 1) return 2;
	const char *action = argv[1], *call = argv[2];
	int step = atoi(argv[3]);
	if (strcmp(action, "swap") == 0) return swap_at(call, step);
	return disturb_at(call, step, strcmp(action, "kill") == 0);
}
