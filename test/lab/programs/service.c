/*
 * A service as systemd.service(5) knows them:
 *   service PORT            stays in the foreground and says READY=1 where there is a NOTIFY_SOCKET
 *   service PORT PIDFILE    goes into the background (Type=forking) and writes its PID
 * It listens on 127.0.0.1:PORT, or on the socket that systemd passes (LISTEN_FDS); on SIGHUP on PORT + 1, too; and
 * says so on standard output.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void require(bool holds, const char *what) {
	if (holds) return;
	perror(what);
	exit(1);
}

static void listen_on(int port) {
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	require(fd >= 0, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	require(bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "bind");
	require(listen(fd, 8) == 0, "listen");
	printf("listening on %d\n", port);
	fflush(stdout);
}

/* sd_notify(3) */
static void tell_systemd(const char *state) {
	const char *path = getenv("NOTIFY_SOCKET");
	if (path == NULL) return;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strncpy(address.sun_path, path, sizeof address.sun_path - 1);
	socklen_t length = offsetof(struct sockaddr_un, sun_path) + strlen(address.sun_path);
	if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	require(sendto(fd, state, strlen(state), 0, (struct sockaddr *)&address, length) >= 0, "sendto");
	close(fd);
}

/* daemon(7): the first process ends when the last one has written its PID. */
static void go_into_background(const char *pid_file) {
	int ready[2];
	char byte;
	require(pipe(ready) == 0, "pipe");
	if (fork() != 0) {
		close(ready[1]);
		_exit(read(ready[0], &byte, 1) == 1 ? 0 : 1);
	}
	setsid();
	if (fork() != 0) _exit(0);
	FILE *file = fopen(pid_file, "w");
	require(file != NULL, pid_file);
	fprintf(file, "%d\n", getpid());
	fclose(file);
	require(write(ready[1], "", 1) == 1, "write");
	close(ready[0]);
	close(ready[1]);
}

int main(int count, char **arguments) {
	sigset_t reload;
	int number, port = count > 1 ? atoi(arguments[1]) : 0;
	sigemptyset(&reload);
	sigaddset(&reload, SIGHUP);
	sigprocmask(SIG_BLOCK, &reload, NULL);
	if (getenv("LISTEN_FDS") == NULL) listen_on(port);
	if (count > 2) go_into_background(arguments[2]);
	tell_systemd("READY=1");
	while (sigwait(&reload, &number) == 0) listen_on(port + 1);
	return 1;
}
