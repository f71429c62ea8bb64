/*
 * Says what sockets are told about options of which MPTCP refuses each, and what they are then, as the user that it runs
 * as, or that it becomes by itself: option-facts [UID]
 *   "ttl 60: error 0, read 60, protocol 262, own namespace, uid 0"    for marking
 *   "repair 1: error 1, ..."                                          for those only who have CAP_NET_ADMIN
 *   "timeout 5000: error 0, read 5000, protocol 6, ..."               for programs that rely on it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NETNS_COOKIE = 71 /* SO_NETNS_COOKIE: Linux 5.14 */ };

static unsigned long long namespace_of(int fd) {
	unsigned long long cookie = 0;
	socklen_t length = sizeof cookie;
	return getsockopt(fd, SOL_SOCKET, NETNS_COOKIE, &cookie, &length) < 0 ? 0 : cookie;
}

/* The value, or -errno. */
static int read_option(int fd, int level, int option) {
	int value = -1;
	socklen_t length = sizeof value;
	return getsockopt(fd, level, option, &value, &length) < 0 ? -errno : value;
}

static void become(unsigned id) {
	if (setgroups(0, NULL) == 0 && setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0) return;
	perror("setresuid");
	exit(1);
}

int main(int argc, char **argv) {
	static const struct {
		const char *name;
		int level, option, value;
	} options[] = {
		{"ttl", IPPROTO_IP, IP_TTL, 60},
		{"repair", IPPROTO_TCP, TCP_REPAIR, 1},
		{"timeout", IPPROTO_TCP, TCP_USER_TIMEOUT, 5000},
	};
	if (argc > 1) become((unsigned)atoi(argv[1]));
	unsigned long long own = namespace_of(socket(AF_UNIX, SOCK_DGRAM, 0));
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0), level = options[i].level, option = options[i].option;
		int value = options[i].value;
		int error = setsockopt(fd, level, option, &value, sizeof value) < 0 ? errno : 0;
		struct stat file;
		if (fstat(fd, &file) < 0) return 1;
		printf("%s %d: error %d, read %d, protocol %d, %s namespace, uid %u\n", options[i].name, value, error,
		       read_option(fd, level, option), read_option(fd, SOL_SOCKET, SO_PROTOCOL),
		       namespace_of(fd) == own ? "own" : "another", file.st_uid);
	}
	return 0;
}
