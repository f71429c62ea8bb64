/*
 * Makes the sockets that its arguments name and says what they are, a line each:
 *   socket FAMILY TYPE PROTOCOL   "fd 3 protocol 262 nonblock cloexec errno 999", or "error 97"
 *   signal FAMILY TYPE PROTOCOL   the same from a signal handler
 *   fork FAMILY TYPE PROTOCOL     the same in a child
 *   threads COUNT EACH            how many of so many sockets in so many threads are "protocol 262 errno 999"
 *   refuse PROTOCOL ERRNO         from now on the kernel refuses such sockets
 * They stay open, so that their numbers tell of any other file that was left open.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	UNTOUCHED = 999, /* an errno that nothing sets */
	MPTCP = 262,     /* IPPROTO_MPTCP: in <netinet/in.h> since glibc 2.32, musl 1.2.4 */
};

static char **arguments; /* of the action that runs */

static int number(int index) {
	return (int)strtol(arguments[index], NULL, 0);
}

static int protocol_of(int fd) {
	int protocol = -1;
	socklen_t length = sizeof protocol;
	getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length);
	return protocol;
}

static void make_socket(void) {
	errno = UNTOUCHED;
	int fd = socket(number(0), number(1), number(2)), error = errno;
	if (fd < 0) {
		dprintf(STDOUT_FILENO, "error %d\n", error);
		return;
	}
	const char *nonblock = fcntl(fd, F_GETFL) & O_NONBLOCK ? " nonblock" : "";
	const char *cloexec = fcntl(fd, F_GETFD) & FD_CLOEXEC ? " cloexec" : "";
	dprintf(STDOUT_FILENO, "fd %d protocol %d%s%s errno %d\n", fd, protocol_of(fd), nonblock, cloexec, error);
}

static void on_signal(int signal) {
	(void)signal;
	make_socket();
}

static void make_in_signal(void) {
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
}

static void make_in_child(void) {
	pid_t child = fork();
	if (child == 0) {
		make_socket();
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void *make_many(void *unused) {
	(void)unused;
	long right = 0;
	for (int i = 0; i < number(1); i++) {
		errno = UNTOUCHED;
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		right += errno == UNTOUCHED && protocol_of(fd) == MPTCP;
		close(fd);
	}
	return (void *)right;
}

static void make_in_threads(void) {
	pthread_t threads[64];
	long right = 0;
	int count = number(0);
	if (count > 64) abort();
	for (int i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, make_many, NULL) != 0) abort();
	for (int i = 0; i < count; i++) {
		void *result;
		pthread_join(threads[i], &result);
		right += (long)result;
	}
	dprintf(STDOUT_FILENO, "%ld\n", right);
}

static void refuse(void) {
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number(0), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | number(1)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = sizeof code / sizeof *code, .filter = code};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) abort();
}

static const struct {
	const char *name;
	int arguments;
	void (*run)(void);
} actions[] = {
	{"socket", 3, make_socket}, {"signal", 3, make_in_signal},   {"fork", 3, make_in_child},
	{"refuse", 2, refuse},      {"threads", 2, make_in_threads},
};

int main(int argc, char **argv) {
	for (int at = 1; at < argc;) {
		size_t i = 0;
		while (strcmp(actions[i].name, argv[at]) != 0)
			if (++i == sizeof actions / sizeof *actions) return 2;
		arguments = argv + at + 1;
		at += 1 + actions[i].arguments;
		if (at > argc) return 2;
		actions[i].run();
	}
	return 0;
}
