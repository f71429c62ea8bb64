/*
 * A program under the seccomp supervisor, in the situations that are hard for that:
 *   storm THREADS     says "ready", makes sockets until input ends, then says how many were MPTCP, TCP, in another
 *                     network namespace, no such sockets at all, and how many files are left that it did not open
 *   options THREADS   says "ready", and until input ends makes sockets, sets a TTL, reads it, and sets a timeout, for
 *                     which each should become TCP; then says how many did, how often anything went wrong, and how many
 *                     files are left
 *   unshare FLAGS     goes into new namespaces, then makes one: "protocol 262 of this namespace", or "of another"
 *   owner UID         becomes that user, then makes one: "protocol 262 uid 65534 gid 65534"
 *   until             says "ready", makes one when a byte comes, says "protocol 262" or "error 38"; until input ends
 *   user              says as whom it runs: "uid 65534 euid 0"
 *   settings          says "ready", sets a TTL and TCP_NODELAY when a byte comes, says "ttl 38 nodelay 0", which are
 *                     errors; until input ends
 *   forbid COMMAND    runs a command under a policy that kills whoever makes an MPTCP socket
 *   closed COMMAND    the same of whoever takes a file of another process
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	TCP = 6,
	MPTCP = 262,
	NETNS_COOKIE = 71, /* SO_NETNS_COOKIE: Linux 5.14 */
};

static int protocol_of(int fd) {
	int protocol = -1;
	socklen_t length = sizeof protocol;
	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) < 0 ? -errno : protocol;
}

static int make_socket(void) {
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0) {
		printf("error %d\n", errno);
		exit(1);
	}
	return fd;
}

static unsigned long long namespace_of(int fd) {
	unsigned long long cookie = 0;
	socklen_t length = sizeof cookie;
	return getsockopt(fd, SOL_SOCKET, NETNS_COOKIE, &cookie, &length) < 0 ? 0 : cookie;
}

static atomic_long made[MPTCP + 1], wrong, foreign;
static atomic_bool over;
static unsigned long long own;

static void *make_many(void *unused) {
	(void)unused;
	while (!over) {
		int fd = socket(AF_INET, SOCK_STREAM, 0), protocol = fd < 0 ? -1 : protocol_of(fd);
		if (protocol != MPTCP && protocol != TCP) wrong++;
		else if (namespace_of(fd) != own) foreign++;
		else made[protocol]++;
		if (fd > STDERR_FILENO) close(fd);
	}
	return NULL;
}

static int count_files(void) {
	int count = 0;
	for (int fd = 0; fd < 1024; fd++) count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static int set_option(int fd, int level, int option, int value) {
	return setsockopt(fd, level, option, &value, sizeof value) < 0 ? errno : 0;
}

static void *set_many(void *unused) {
	(void)unused;
	while (!over) {
		int fd = socket(AF_INET, SOCK_STREAM, 0), ttl = 0;
		socklen_t length = sizeof ttl;
		wrong += set_option(fd, IPPROTO_IP, IP_TTL, 60) != 0;
		wrong += getsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, &length) != 0 || ttl != 60;
		wrong += set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000) != 0;
		if (protocol_of(fd) == TCP) made[TCP]++;
		else wrong++;
		if (namespace_of(fd) != own) foreign++;
		if (fd > STDERR_FILENO) close(fd);
	}
	return NULL;
}

static int storm(int count, void *work(void *)) {
	pthread_t threads[16];
	char byte;
	if (count > 16) return 2;
	own = namespace_of(socket(AF_UNIX, SOCK_DGRAM, 0));
	int files = count_files();
	puts("ready");
	for (int i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, work, NULL) != 0) return 2;
	while (read(STDIN_FILENO, &byte, 1) > 0) continue;
	over = true;
	for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
	printf("mptcp %ld tcp %ld foreign %ld wrong %ld left %d\n", made[MPTCP], made[TCP], foreign, wrong,
	       count_files() - files);
	return 0;
}

static int settings(void) {
	char byte;
	int fd = make_socket();
	puts("ready");
	while (read(STDIN_FILENO, &byte, 1) > 0) {
		int ttl = set_option(fd, IPPROTO_IP, IP_TTL, 60), nodelay = set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
		printf("ttl %d nodelay %d\n", ttl, nodelay);
	}
	return 0;
}

static int from_namespaces(int flags) {
	if (unshare(flags) < 0) return 2;
	int fd = make_socket();
	bool is_own = namespace_of(fd) == namespace_of(socket(AF_UNIX, SOCK_DGRAM, 0));
	printf("protocol %d of %s\n", protocol_of(fd), is_own ? "this namespace" : "another");
	return 0;
}

static int owner(unsigned id) {
	if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0) return 2;
	struct stat file;
	int fd = make_socket();
	fstat(fd, &file);
	printf("protocol %d uid %u gid %u\n", protocol_of(fd), file.st_uid, file.st_gid);
	return 0;
}

static int until(void) {
	char byte;
	puts("ready");
	while (read(STDIN_FILENO, &byte, 1) > 0) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		if (fd < 0) printf("error %d\n", errno);
		else printf("protocol %d\n", protocol_of(fd));
		if (fd >= 0) close(fd);
	}
	return 0;
}

static int user(void) {
	printf("uid %u euid %u\n", getuid(), geteuid());
	return 0;
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS_EQUAL(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)

static int run_under(struct sock_filter *code, unsigned short count, char **command) {
	struct sock_fprog program = {.len = count, .filter = code};
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) return 2;
	execvp(command[0], command);
	return 127;
}

static int forbid(char **command) {
	struct sock_filter code[] = {
		LOAD(nr),
		UNLESS_EQUAL(SYS_socket, 3),
		LOAD(args[2]),
		UNLESS_EQUAL(MPTCP, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	return run_under(code, sizeof code / sizeof *code, command);
}

static int closed(char **command) {
	struct sock_filter code[] = {
		LOAD(nr),
		UNLESS_EQUAL(SYS_pidfd_getfd, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	return run_under(code, sizeof code / sizeof *code, command);
}

int main(int argc, char **argv) {
	const char *action = argc > 1 ? argv[1] : "";
	int number = argc > 2 ? (int)strtol(argv[2], NULL, 0) : 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(action, "storm") == 0) return storm(number, make_many);
	if (strcmp(action, "options") == 0) return storm(number, set_many);
	if (strcmp(action, "settings") == 0) return settings();
	if (strcmp(action, "unshare") == 0) return from_namespaces(number);
	if (strcmp(action, "owner") == 0) return owner((unsigned)number);
	if (strcmp(action, "until") == 0) return until();
	if (strcmp(action, "user") == 0) return user();
	if (strcmp(action, "forbid") == 0 && argc > 2) return forbid(argv + 2);
	if (strcmp(action, "closed") == 0 && argc > 2) return closed(argv + 2);
	return 2;
}
