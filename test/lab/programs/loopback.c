/*
 * Talks to itself by TCP, as its argument says, and tells what protocol it was:
 *   once          a listener, a connection, what came out of it
 *   unshare       the same in a network namespace of its own
 *   fork COUNT    so many clients, each a process, each served by another process: how many spoke MPTCP
 *   threads COUNT the same in threads
 *   wait          listens until it is killed
 *   exit STATUS   ends
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MPTCP = 262, SO_COOKIE_OF_NAMESPACE = 71 /* SO_NETNS_COOKIE, Linux 5.14 */ };

static void must(bool done, const char *what) {
	if (done) return;
	perror(what);
	exit(1);
}

static int protocol_of(int fd) {
	int protocol = -1;
	socklen_t length = sizeof protocol;
	getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length);
	return protocol;
}

static uint64_t namespace_of(int fd) {
	uint64_t cookie = 0;
	socklen_t length = sizeof cookie;
	getsockopt(fd, SOL_SOCKET, SO_COOKIE_OF_NAMESPACE, &cookie, &length);
	return cookie;
}

/* A UNIX socket is never converted: it tells which namespace we are in. */
static bool is_here(int fd) {
	int own = socket(AF_UNIX, SOCK_STREAM, 0);
	bool same = namespace_of(fd) == namespace_of(own);
	close(own);
	return same;
}

static int listen_somewhere(struct sockaddr_in *address) {
	socklen_t length = sizeof *address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	*address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	must(bind(fd, (struct sockaddr *)address, length) == 0, "bind");
	must(listen(fd, 64) == 0, "listen");
	must(getsockname(fd, (struct sockaddr *)address, &length) == 0, "getsockname");
	return fd;
}

static int connect_to(const struct sockaddr_in *address) {
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	must(connect(fd, (const struct sockaddr *)address, sizeof *address) == 0, "connect");
	return fd;
}

static bool greet(int fd) {
	bool done = write(fd, "hello", 5) == 5;
	return done && protocol_of(fd) == MPTCP;
}

static bool is_greeted(int fd) {
	char text[6] = "";
	bool done = recv(fd, text, 5, MSG_WAITALL) == 5 && strcmp(text, "hello") == 0;
	return done && protocol_of(fd) == MPTCP;
}

static void once(void) {
	struct sockaddr_in address;
	char text[6] = "";
	int listener = listen_somewhere(&address), connection = connect_to(&address);
	int accepted = accept(listener, NULL, NULL);
	greet(accepted);
	must(recv(connection, text, 5, MSG_WAITALL) == 5, "recv");
	printf("listener %d, connection %d, accepted %d, namespace %s: %s\n", protocol_of(listener),
		protocol_of(connection), protocol_of(accepted),
		is_here(listener) && is_here(connection) ? "here" : "elsewhere", text);
}

static void unshared(void) {
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	must(unshare(CLONE_NEWNET) == 0, "unshare");
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	must(ioctl(fd, SIOCSIFFLAGS, &request) == 0, "lo up");
	close(fd);
	once();
}

static void in_child(bool (*act)(int fd), int fd) {
	pid_t child = fork();
	must(child >= 0, "fork");
	if (child == 0) _exit(act(fd) ? 0 : 1);
	close(fd);
}

static void in_processes(int count) {
	struct sockaddr_in address;
	int listener = listen_somewhere(&address), right = 0, status;
	for (int i = 0; i < count; i++) {
		in_child(is_greeted, connect_to(&address));
		in_child(greet, accept(listener, NULL, NULL));
	}
	while (wait(&status) > 0) right += status == 0;
	printf("%d of %d\n", right, 2 * count);
}

static void *both_ends(void *unused) {
	struct sockaddr_in address;
	(void)unused;
	int listener = listen_somewhere(&address), connection = connect_to(&address);
	bool right = greet(accept(listener, NULL, NULL));
	return (void *)(intptr_t)(is_greeted(connection) && right);
}

static void in_threads(int count) {
	pthread_t threads[64];
	int right = 0;
	must(count <= 64, "count");
	for (int i = 0; i < count; i++) must(pthread_create(&threads[i], NULL, both_ends, NULL) == 0, "thread");
	for (int i = 0; i < count; i++) {
		void *result;
		pthread_join(threads[i], &result);
		right += (intptr_t)result != 0;
	}
	printf("%d of %d\n", right, count);
}

static void wait_for_signal(void) {
	struct sockaddr_in address;
	int listener = listen_somewhere(&address);
	printf("listener %d\n", protocol_of(listener));
	fflush(stdout);
	for (;;) pause();
}

int main(int argc, char **argv) {
	const char *mode = argc > 1 ? argv[1] : "once";
	int number = argc > 2 ? atoi(argv[2]) : 0;
	if (strcmp(mode, "once") == 0) once();
	else if (strcmp(mode, "unshare") == 0) unshared();
	else if (strcmp(mode, "fork") == 0) in_processes(number);
	else if (strcmp(mode, "threads") == 0) in_threads(number);
	else if (strcmp(mode, "wait") == 0) wait_for_signal();
	else return number;
	return 0;
}
