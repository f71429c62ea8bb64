/*
 * Traces the seccomp supervisor under which it runs, whose worker's process id comes on standard input once it has
 * said "ready", from system call to system call while that answers a caller in another network namespace:
 *   kill STEP   kills the worker at that stop: "at worker ioctl: protocol 262 of this namespace, 0 left", or
 *               "complete" if the answer takes fewer
 *   gone CALL   kills the caller at the first such system call (openat, setns, socket) and has its process id pass to
 *               a process of a third namespace: "then openat ioctl close ioctl", all calls until the next poll
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tracing.h"

enum {
	NETNS_COOKIE = 71, /* SO_NETNS_COOKIE: Linux 5.14 */
	FILES = 256,
	CALLS_AFTER = 300, /* by another caller, for a visitor that has been left behind to meddle with */
};

static int option_of(int fd, int option) {
	int value = -1;
	socklen_t length = sizeof value;
	return getsockopt(fd, SOL_SOCKET, option, &value, &length) < 0 ? -1 : value;
}

static uint64_t namespace_of(int fd) {
	uint64_t cookie = 0;
	socklen_t length = sizeof cookie;
	getsockopt(fd, SOL_SOCKET, NETNS_COOKIE, &cookie, &length);
	return cookie;
}

static int count_files(void) {
	int count = 0;
	for (int fd = 0; fd < FILES; fd++) count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* What a caller got, by its last socket, or the first that was wrong. */
struct verdict {
	int protocol, left;
	bool own;
};

struct caller {
	pid_t pid;
	int start, verdict; /* pipes */
};

static struct verdict call(int count) {
	int reference = socket(AF_UNIX, SOCK_DGRAM, 0), before = count_files();
	struct verdict verdict = {.protocol = 0};
	for (int i = 0; i < count; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		verdict.protocol = option_of(fd, SO_PROTOCOL);
		verdict.own = namespace_of(fd) == namespace_of(reference);
		if (fd > STDERR_FILENO) close(fd);
		verdict.left = count_files() - before;
		if (!verdict.own || verdict.left) break;
	}
	return verdict;
}

static struct caller start_caller(int namespaces, int count) {
	int start[2], verdict[2], ready[2];
	char byte;
	if (pipe(start) < 0 || pipe(verdict) < 0 || pipe(ready) < 0) fail("pipe");
	pid_t pid = fork();
	if (pid < 0) fail("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(start[1]);
		if (unshare(namespaces) < 0) fail("unshare");
		close(ready[1]);
		if (read(start[0], &byte, 1) < 0) _exit(1);
		struct verdict result = call(count);
		_exit(write(verdict[1], &result, sizeof result) == sizeof result ? 0 : 1);
	}
	close(start[0]);
	close(verdict[1]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 0) fail("read");
	close(ready[0]);
	return (struct caller){.pid = pid, .start = start[1], .verdict = verdict[0]};
}

static struct verdict verdict_of(const struct caller *caller) {
	struct verdict verdict;
	if (read(caller->verdict, &verdict, sizeof verdict) != sizeof verdict) fail("no verdict");
	return verdict;
}

static const char *name_of(uint64_t call) {
	static const struct {
		uint64_t number;
		const char *name;
	} names[] = {
		{SYS_ioctl, "ioctl"},   {SYS_openat, "openat"},         {SYS_close, "close"},   {SYS_socket, "socket"},
		{SYS_setns, "setns"},   {SYS_socketpair, "socketpair"}, {SYS_clone, "clone"},   {SYS_wait4, "wait4"},
		{SYS_sendmsg, "sendmsg"}, {SYS_recvmsg, "recvmsg"},     {SYS_ppoll, "poll"},
#ifdef SYS_poll
		{SYS_poll, "poll"},
#endif
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].number == call) return names[i].name;
	return "another";
}

/* Lets the caller call, and follows the worker until it has taken that. */
static void receive(const struct caller *caller) {
	trace(worker);
	if (write(caller->start, "", 1) != 1) fail("write");
	follow_to_receipt(caller->pid);
}

static int kill_at(int step) {
	struct caller first = start_caller(CLONE_NEWNET, 1), second = start_caller(0, CALLS_AFTER);
	struct stop stop = {.pid = worker, .call = SYS_ioctl};
	receive(&first);
	for (int i = 1; i < step; i++) {
		ptrace(PTRACE_SYSCALL, stop.pid, 0, 0);
		if (!next_stop(first.pid, &stop)) {
			puts("complete");
			return 0;
		}
	}
	const char *who = stop.pid == worker ? "worker" : "visitor", *side = stop.entry ? "before" : "after";
	kill(worker, SIGKILL);
	/* The one that traces is told first, and the parent only then. */
	if (waitpid(worker, NULL, __WALL) != worker) fail("waitpid");
	struct verdict verdict = verdict_of(&first);
	if (write(second.start, "", 1) != 1) fail("write");
	/* It goes on, if it lives, amid the other's calls. */
	if (stop.pid != worker) ptrace(PTRACE_DETACH, stop.pid, 0, 0);
	struct verdict later = verdict_of(&second);
	if (verdict.own && verdict.left == 0) verdict = (struct verdict){verdict.protocol, later.left, later.own};
	printf("%s %s %s: protocol %d of %s, %d left\n", side, who, name_of(stop.call), verdict.protocol,
	       verdict.own ? "this namespace" : "another", verdict.left);
	return 0;
}

/* Kills and reaps a process, and starts another with its process id in a network namespace of its own. */
static void replace(pid_t pid) {
	kill(pid, SIGKILL);
	if (waitpid(pid, NULL, __WALL) != pid) fail("waitpid");
	struct clone_args args = {
		.exit_signal = SIGCHLD, .flags = CLONE_NEWNET, .set_tid = (uintptr_t)&pid, .set_tid_size = 1};
	long other = syscall(SYS_clone3, &args, sizeof args);
	if (other < 0) fail("clone3");
	if (other == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) pause();
	}
}

static bool is_poll(uint64_t call) {
	return strcmp(name_of(call), "poll") == 0;
}

static int gone_at(const char *call) {
	struct caller caller = start_caller(CLONE_NEWNET, 1);
	struct stop stop = {.pid = worker, .call = SYS_ioctl};
	receive(&caller);
	do {
		ptrace(PTRACE_SYSCALL, stop.pid, 0, 0);
		if (!next_stop(caller.pid, &stop)) fail("no such call");
	} while (!stop.entry || strcmp(name_of(stop.call), call) != 0);
	replace(caller.pid);
	printf("then");
	do {
		if (stop.entry) {
			bool gives = stop.call == SYS_ioctl && stop.argument == SECCOMP_IOCTL_NOTIF_ADDFD;
			printf(" %s", gives ? "give" : name_of(stop.call));
		}
		ptrace(PTRACE_SYSCALL, stop.pid, 0, 0);
		if (!next_stop(0, &stop)) fail("no poll");
	} while (!stop.entry || !is_poll(stop.call));
	/* Whoever reads the line ends this process. */
	kill(caller.pid, SIGKILL);
	putchar('\n');
	return 0;
}

int main(int argc, char **argv) {
	if (argc < 3) return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	if (scanf("%d", &worker) != 1) return 2;
	return strcmp(argv[1], "kill") == 0 ? kill_at(atoi(argv[2])) : gone_at(argv[2]);
}
