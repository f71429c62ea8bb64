/*
 * launch: what starting a program costs, making a socket, and setting an option. Prints lines of a name and a number: microseconds, if
 * nothing else is said.
 *
 *   launch run COUNT COMMAND...      runs COMMAND, one after the other: each from before it is started to its end, "run"
 *   launch sockets COUNT PROTOCOL    makes and closes TCP sockets, COUNT batches of them: one socket of each batch,
 *                                    "socket"; and which protocol the last one has, a number, "protocol"
 *   launch options COUNT PROTOCOL    sets an option that MPTCP takes, COUNT batches of calls: one call of each batch,
 *                                    "option"; and the protocol, as above
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 1000, CALLS = 100000 };

static double now_us(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static void measure_runs(unsigned count, char **command) {
	for (unsigned i = 0; i < count; i++) {
		pid_t child;
		int status;
		double start = now_us();
		errno = posix_spawn(&child, command[0], NULL, NULL, command, environ);
		if (errno) err(1, "%s", command[0]);
		if (waitpid(child, &status, 0) != child || status != 0) errx(1, "%s ends with status %x", command[0], status);
		printf("run %.1f\n", now_us() - start);
	}
}

static int open_socket(int protocol) {
	int fd = socket(AF_INET, SOCK_STREAM, protocol);
	if (fd < 0) err(1, "socket");
	return fd;
}

static void print_protocol(int fd) {
	int made;
	socklen_t size = sizeof made;
	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &made, &size) < 0) err(1, "SO_PROTOCOL");
	printf("protocol %d\n", made);
}

static void measure_sockets(unsigned count, int protocol) {
	for (unsigned i = 0; i < count; i++) {
		double start = now_us();
		for (unsigned j = 0; j < BATCH; j++) close(open_socket(protocol));
		printf("socket %.3f\n", (now_us() - start) / BATCH);
	}
	int fd = open_socket(protocol);
	print_protocol(fd);
	close(fd);
}

static void measure_options(unsigned count, int protocol) {
	int fd = open_socket(protocol), on = 1;
	for (unsigned i = 0; i < count; i++) {
		double start = now_us();
		for (unsigned j = 0; j < CALLS; j++)
			if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) < 0) err(1, "SO_KEEPALIVE");
		printf("option %.4f\n", (now_us() - start) / CALLS);
	}
	print_protocol(fd);
	close(fd);
}

int main(int count, char **words) {
	const char *command = count > 1 ? words[1] : "";
	if (strcmp(command, "run") == 0 && count >= 4) measure_runs(atoi(words[2]), words + 3);
	else if (strcmp(command, "sockets") == 0 && count == 4) measure_sockets(atoi(words[2]), atoi(words[3]));
	else if (strcmp(command, "options") == 0 && count == 4) measure_options(atoi(words[2]), atoi(words[3]));
	else errx(2, "see the head of bench/launch.c");
	return 0;
}
