/*
 * Sets an option that makes a socket TCP, while other threads close and reuse descriptors:
 *   closed COUNT         the socket's descriptor is closed, and its number given to a pipe, at the COUNTth system call of
 *                        the library that makes a TCP socket or looks at the descriptor: "errno 92, the pipe is there"
 *   storm THREADS EACH   so many threads do so with so many sockets each, and as many others open and close files of their
 *                        own: "THREADS*EACH sockets are TCP, 0 files are gone"
 *   race THREADS EACH    so many threads set and read options of so many sockets each, whose descriptors as many others
 *                        close meanwhile and reuse for pipes: "THREADS*EACH sockets, N became pipes, 0 errors, 0 left"
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_THREADS = 16 };

static void check(bool is_right, const char *what) {
	if (is_right) return;
	perror(what);
	exit(1);
}

static int make_socket(void) {
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	check(fd >= 0, "socket");
	return fd;
}

/* errno, or 0. */
static int become_tcp(int fd) {
	unsigned timeout = 5000;
	return setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout) == 0 ? 0 : errno;
}

static bool is_tcp(int fd) {
	int protocol = 0;
	socklen_t length = sizeof protocol;
	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 && protocol == IPPROTO_TCP;
}

static ino_t inode_of(int fd) {
	struct stat file;
	return fstat(fd, &file) == 0 ? file.st_ino : 0;
}

static struct {
	atomic_int listener;
	int number, file, calls;
} meanwhile;

/* Answers for the other thread's system calls. */
static void *close_meanwhile(void *unused) {
	(void)unused;
	while (meanwhile.listener < 0) sched_yield();
	for (int call = 1;; call++) {
		union {
			struct seccomp_notif request;
			char room[256];
		} notification = {.room = {0}};
		union {
			struct seccomp_notif_resp response;
			char room[256];
		} answer = {.room = {0}};
		if (ioctl(meanwhile.listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) < 0) return NULL;
		/* In one step: the number is the pipe's now, as if it had been closed and opened. */
		if (call == meanwhile.calls) dup2(meanwhile.file, meanwhile.number);
		answer.response.id = notification.request.id;
		answer.response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(meanwhile.listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
}

static void install_filter(int number) {
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 6, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_GETFD, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};

	struct sock_fprog filter = {.len = sizeof code / sizeof *code, .filter = code};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	int listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
	check(listener >= 0, "seccomp");
	meanwhile.listener = listener;
}

static void close_at(int calls) {
	pthread_t thread;
	int ends[2], fd = make_socket();
	check(pipe(ends) == 0, "pipe");
	meanwhile.listener = -1;
	meanwhile.number = fd;
	meanwhile.file = ends[0];
	meanwhile.calls = calls;
	check(pthread_create(&thread, NULL, close_meanwhile, NULL) == 0, "pthread_create");
	install_filter(fd);
	int error = become_tcp(fd);
	bool is_there = inode_of(fd) == inode_of(ends[0]);
	printf("errno %d, the pipe is %s\n", error, is_there ? "there" : "gone");
	fflush(stdout);
	_exit(0);
}

static atomic_int made, gone;
static atomic_bool is_over;
static int each;

static void *make_sockets(void *unused) {
	(void)unused;
	for (int i = 0; i < each; i++) {
		int fd = make_socket(), error = become_tcp(fd);
		if (error == 0 && is_tcp(fd)) made++;
		close(fd);
	}
	return NULL;
}

static void *open_files(void *unused) {
	(void)unused;
	while (!is_over) {
		int ends[2];
		check(pipe(ends) == 0, "pipe");
		ino_t inode = inode_of(ends[0]);
		sched_yield();
		if (inode_of(ends[0]) != inode || inode_of(ends[1]) != inode) gone++;
		close(ends[0]);
		close(ends[1]);
	}
	return NULL;
}

static void storm(int threads) {
	pthread_t makers[MAX_THREADS], openers[MAX_THREADS];
	check(threads <= MAX_THREADS, "too many threads");
	for (int i = 0; i < threads; i++) {
		check(pthread_create(&makers[i], NULL, make_sockets, NULL) == 0, "pthread_create");
		check(pthread_create(&openers[i], NULL, open_files, NULL) == 0, "pthread_create");
	}
	for (int i = 0; i < threads; i++) pthread_join(makers[i], NULL);
	is_over = true;
	for (int i = 0; i < threads; i++) pthread_join(openers[i], NULL);
	printf("%d sockets are TCP, %d files are gone\n", made, gone);
}

/* A descriptor that a thread sets options on and another replaces: each takes it from here before it closes it. */
struct shared {
	_Alignas(64) atomic_int fd;
	atomic_bool is_busy;
};
static struct shared shared[MAX_THREADS];
static atomic_int raced, replaced, errors;

/* Of a socket, of a pipe, and of a TCP option that MPTCP refuses where the library has not replaced the socket. */
static bool is_known(int error) {
	return error == 0 || error == ENOTSOCK || error == ENOPROTOOPT || error == EOPNOTSUPP;
}

static void *set_options(void *argument) {
	struct shared *one = argument;
	for (int i = 0; i < each; i++) {
		unsigned value = 0;
		socklen_t length = sizeof value;
		int fd = make_socket();
		one->fd = fd;
		if (!is_known(become_tcp(fd))) errors++;
		int error = getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &length) == 0 ? 0 : errno;
		if (!is_known(error) || (error == 0 && value != 0 && value != 5000)) errors++;
		one->fd = -1;
		while (one->is_busy) sched_yield();
		close(fd);
		raced++;
	}
	return NULL;
}

static void *replace_descriptors(void *argument) {
	struct shared *one = argument;
	int ends[2];
	check(pipe(ends) == 0, "pipe");
	while (!is_over) {
		one->is_busy = true;
		int fd = atomic_exchange(&one->fd, -1);
		/* In one step: a number that is free for a moment would be another thread's socket. */
		if (fd >= 0 && dup2(ends[0], fd) == fd) replaced++;
		one->is_busy = false;
		sched_yield();
	}
	close(ends[0]);
	close(ends[1]);
	return NULL;
}

static int open_descriptors(void) {
	int count = 0;
	for (int fd = 0; fd < 1024; fd++) count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void race(int threads) {
	pthread_t setters[MAX_THREADS], replacers[MAX_THREADS];
	int before = open_descriptors();
	check(threads <= MAX_THREADS, "too many threads");
	for (int i = 0; i < threads; i++) {
		shared[i].fd = -1;
		check(pthread_create(&setters[i], NULL, set_options, &shared[i]) == 0, "pthread_create");
		check(pthread_create(&replacers[i], NULL, replace_descriptors, &shared[i]) == 0, "pthread_create");
	}
	for (int i = 0; i < threads; i++) pthread_join(setters[i], NULL);
	is_over = true;
	for (int i = 0; i < threads; i++) pthread_join(replacers[i], NULL);
	const char *form = "%d sockets, %d became pipes, %d errors, %d left\n";
	printf(form, raced, replaced, errors, open_descriptors() - before);
}

int main(int count, char **words) {
	const char *action = count > 1 ? words[1] : "";
	each = count > 2 ? atoi(words[count - 1]) : 0;
	if (strcmp(action, "closed") == 0 && count == 3) close_at(each);
	else if (strcmp(action, "storm") == 0 && count == 4) storm(atoi(words[2]));
	else if (strcmp(action, "race") == 0 && count == 4) race(atoi(words[2]));
	else return 2;
	return 0;
}
