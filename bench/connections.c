/*
 * connections: makes MPTCP connections on the loopback device, for what follows them. To be run in a network namespace
 * of its own. Prints lines of a name and a number.
 *
 *   connections load RATE SECONDS          opens RATE connections a second, each for one byte there and its end back:
 *                                          "opened", "failed", and "rate", what was reached
 *   connections hold COUNT PORT            opens COUNT connections to the port, says "held", and keeps them until its
 *                                          input ends
 *   connections react COUNT FIRST SECOND   COUNT times a connection from FIRST; microseconds from the packet by which it
 *                                          is established to the SYN of a subflow from SECOND, "reaction"; -1: none came
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/mptcp.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

enum {
	PORT = 7000,          /* where no other is named */
	TARGETS = 16,         /* addresses of the server, 127.1.0.1 and on: each has ports of its own to choose from */
	BACKLOG = 4096,
	UNDER_WAY = 4000,     /* a machine that falls behind reaches a lower rate, not the limits of files and of the backlog */
	EVENTS = 256,
	REACTION_MS = 1000,   /* what is not there by then will not come */
	PAUSE_US = 20000,     /* between two connections whose reaction is measured */
};

static double now(void) {
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int mptcp_socket(int flags) {
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, IPPROTO_MPTCP);
	if (fd < 0) err(1, "socket");
	return fd;
}

static struct sockaddr_in at(const char *text, uint16_t number) {
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(number)};
	if (inet_pton(AF_INET, text, &address.sin_addr) != 1) errx(1, "%s is no IPv4 address", text);
	return address;
}

static void watch(int epoll, int fd, uint32_t events) {
	struct epoll_event event = {.events = events, .data.fd = fd};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) err(1, "epoll_ctl");
}

static bool hold;
static uint16_t port = PORT;

/* Takes connections, reads what comes and closes; or, if they are to be held, gives it back, until the other end closes. */
static void *serve(void *argument) {
	int listener = *(int *)argument, epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[EVENTS];
	watch(epoll, listener, EPOLLIN);
	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;
			if (fd == listener) {
				for (int got; (got = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;)
					watch(epoll, got, EPOLLIN);
			} else {
				char byte;
				ssize_t length = read(fd, &byte, 1);
				if (length < 0 && errno == EAGAIN) continue;
				if (hold && length == 1 && write(fd, &byte, 1) == 1) continue;
				close(fd);
			}
		}
	}
	return NULL;
}

static void start_server(void) {
	static int listener;
	struct sockaddr_in any = at("0.0.0.0", port);
	int one = 1;
	listener = mptcp_socket(SOCK_NONBLOCK);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&any, sizeof any) < 0 || listen(listener, BACKLOG) < 0) err(1, "listen");
	pthread_t thread;
	if (pthread_create(&thread, NULL, serve, &listener)) errx(1, "pthread_create");
}

/* A connection under way to one of the server's addresses, or -1. */
static int begin(unsigned number) {
	struct sockaddr_in target = at("127.1.0.1", port);
	target.sin_addr.s_addr = htonl(ntohl(target.sin_addr.s_addr) + number % TARGETS);
	int fd = mptcp_socket(SOCK_NONBLOCK);
	if (connect(fd, (struct sockaddr *)&target, sizeof target) < 0 && errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return fd;
}

/* What became of a connection: 1 it was told the end, 0 not yet, -1 it failed. */
static int follow(int epoll, int fd, uint32_t happened) {
	char byte = 'x';
	if (happened & EPOLLOUT) {
		if (write(fd, &byte, 1) != 1) return -1;
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
		epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
		return 0;
	}
	ssize_t length = read(fd, &byte, 1);
	if (length < 0 && errno == EAGAIN) return 0;
	return length == 0 ? 1 : -1;
}

static int load(unsigned rate, unsigned seconds) {
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	unsigned opened = 0, done = 0, failed = 0, total = rate * seconds;
	double start = now(), finished = start;
	struct epoll_event events[EVENTS];
	while (done + failed < total) {
		unsigned due = (unsigned)((now() - start) * rate / 1e6);
		for (; opened < total && opened < due && opened - done - failed < UNDER_WAY; opened++) {
			int fd = begin(opened);
			if (fd < 0) failed++;
			else watch(epoll, fd, EPOLLOUT);
		}
		int count = epoll_wait(epoll, events, EVENTS, 1);
		for (int i = 0; i < count; i++) {
			int outcome = follow(epoll, events[i].data.fd, events[i].events);
			if (outcome == 0) continue;
			close(events[i].data.fd);
			if (outcome > 0) done++;
			else failed++;
			finished = now();
		}
	}
	printf("opened %u\nfailed %u\nrate %.0f\n", opened, failed, opened / ((finished - start) / 1e6));
	return 0;
}

/* One that had to become TCP is not one: the kernel's table of tokens has room for four in a place (net/mptcp/token.c). */
static bool is_mptcp(int fd) {
	struct mptcp_info info = {0};
	socklen_t length = sizeof info;
	return getsockopt(fd, SOL_MPTCP, MPTCP_INFO, &info, &length) == 0 &&
	       !(info.mptcpi_flags & MPTCP_INFO_FLAG_FALLBACK);
}

/* A connection whose other end has answered. */
static int begin_and_wait(unsigned number) {
	int fd = begin(number);
	struct pollfd connected = {.fd = fd, .events = POLLOUT}, answered = {.fd = fd, .events = POLLIN};
	char byte = 'x';
	if (fd < 0 || poll(&connected, 1, REACTION_MS) != 1 || write(fd, &byte, 1) != 1 ||
	    poll(&answered, 1, REACTION_MS) != 1 || read(fd, &byte, 1) != 1)
		errx(1, "connection %u failed", number);
	return fd;
}

static int keep(unsigned count) {
	for (unsigned held = 0, number = 0; held < count; number++) {
		int fd = begin_and_wait(number);
		if (is_mptcp(fd)) held++;
		else if (close(fd) < 0 || number - held > count)
			errx(1, "the kernel has no room for more MPTCP connections than %u", held);
	}
	printf("held %u\n", count);
	fflush(stdout);
	char end;
	while (read(STDIN_FILENO, &end, 1) > 0) continue;
	return 0;
}

/* A socket that sees every IPv4 packet as it comes in by the loopback device, with the kernel's time. */
static int open_sniffer(void) {
	struct sockaddr_ll lo = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)if_nametoindex("lo")};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP)), one = 1, room = 1 << 22;
	if (fd < 0 || bind(fd, (struct sockaddr *)&lo, sizeof lo) < 0) err(1, "packet socket");
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	return fd;
}

struct packet {
	double time;
	uint32_t source;
	uint16_t source_port, target_port;
	bool syn;
};

/* The next TCP packet; false at the deadline. */
static bool sniff(int sniffer, double deadline, struct packet *packet) {
	for (;;) {
		struct pollfd ready = {.fd = sniffer, .events = POLLIN};
		double left = deadline - now();
		if (left <= 0 || poll(&ready, 1, (int)(left / 1000) + 1) != 1) return false;
		uint8_t bytes[256];
		char control[128];
		struct sockaddr_ll from;
		struct iovec vector = {.iov_base = bytes, .iov_len = sizeof bytes};
		struct msghdr message = {.msg_name = &from,
					 .msg_namelen = sizeof from,
					 .msg_iov = &vector,
					 .msg_iovlen = 1,
					 .msg_control = control,
					 .msg_controllen = sizeof control};
		ssize_t length = recvmsg(sniffer, &message, MSG_DONTWAIT);
		const struct iphdr *ip = (const struct iphdr *)bytes;
		if (length < (ssize_t)sizeof *ip || ip->protocol != IPPROTO_TCP || from.sll_pkttype != PACKET_HOST)
			continue;
		const struct tcphdr *tcp = (const struct tcphdr *)(bytes + ip->ihl * 4);
		struct timespec time = {0};
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
			if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS)
				memcpy(&time, CMSG_DATA(c), sizeof time);
		*packet = (struct packet){
			.time = (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3,
			.source = ip->saddr,
			.source_port = ntohs(tcp->source),
			.target_port = ntohs(tcp->dest),
			.syn = tcp->syn && !tcp->ack,
		};
		return true;
	}
}

/* µs from the packet that establishes the connection, the server's first without SYN, to the SYN from another address. */
static double reaction(int sniffer, struct sockaddr_in first, struct in_addr second) {
	struct sockaddr_in target = at("127.1.0.1", PORT);
	socklen_t length = sizeof first;
	int fd = mptcp_socket(0);
	if (bind(fd, (struct sockaddr *)&first, sizeof first) < 0 ||
	    connect(fd, (struct sockaddr *)&target, sizeof target) < 0 ||
	    getsockname(fd, (struct sockaddr *)&first, &length) < 0)
		err(1, "connect");
	if (write(fd, "x", 1) != 1) err(1, "write");
	double deadline = now() + REACTION_MS * 1000, established = 0, took = -1;
	struct packet packet;
	for (bool handshake = false; took < 0 && sniff(sniffer, deadline, &packet);) {
		bool answer = packet.source_port == PORT && packet.target_port == ntohs(first.sin_port);
		if (answer && handshake && established == 0) established = packet.time;
		if (answer) handshake = true; /* its first packet is the SYN's acknowledgement */
		if (packet.syn && packet.source == second.s_addr && established > 0) took = packet.time - established;
	}
	close(fd);
	/* What is still on its way belongs to this connection. */
	while (sniff(sniffer, now() + PAUSE_US, &packet)) continue;
	return took;
}

static int react(unsigned count, const char *first, const char *second) {
	int sniffer = open_sniffer();
	struct sockaddr_in from = at(first, 0), other = at(second, 0);
	for (unsigned i = 0; i < count; i++) printf("reaction %.1f\n", reaction(sniffer, from, other.sin_addr));
	return 0;
}

int main(int argc, char **argv) {
	struct rlimit files = {.rlim_cur = 1 << 20, .rlim_max = 1 << 20};
	prctl(PR_SET_PDEATHSIG, 9);
	if (setrlimit(RLIMIT_NOFILE, &files) < 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	const char *what = argc > 2 ? argv[1] : "";
	unsigned count = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	hold = strcmp(what, "load") != 0;
	if (strcmp(what, "hold") == 0 && argc == 4) port = (uint16_t)strtoul(argv[3], NULL, 10);
	start_server();
	if (strcmp(what, "load") == 0 && argc == 4) return load(count, (unsigned)strtoul(argv[3], NULL, 10));
	if (strcmp(what, "hold") == 0 && argc == 4) return keep(count);
	if (strcmp(what, "react") == 0 && argc == 5) return react(count, argv[3], argv[4]);
	errx(64, "usage: see the head of connections.c");
}
