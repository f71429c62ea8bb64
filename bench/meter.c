/*
 * meter: looks at a path-manager daemon from outside, as the kernel and other programs do: it changes addresses by
 * rtnetlink, and watches the kernel's list of MPTCP endpoints. To be run in the daemon's network namespace, of which
 * it takes possession. Prints lines of a name and a number: microseconds, if nothing else is said.
 *
 *   meter latency COUNT ADDRESS DEVICE GAP   COUNT times, GAP milliseconds apart: adds an address (ADDRESS and those
 *                                            that follow it) and waits for its endpoint, "add"; removes it and waits
 *                                            until the endpoint is gone, "remove". "late" counts what took too long
 *   meter start ADDRESS COMMAND...           runs COMMAND until ADDRESS is an endpoint, "start", and stops it
 *   meter storm CHANGES ADDRESS DEVICE       adds and removes addresses as fast as it can, "sent", and waits until the
 *                                            endpoints are as the addresses, "right"; adds one more, "awake". Each is
 *                                            -1 if that did not happen before the deadline
 *   meter send COUNT ADDRESS DEVICE          adds and removes an address COUNT times, a millisecond apart; before each
 *                                            addition the time, "sent" (nanoseconds of CLOCK_MONOTONIC)
 *   meter listen COUNT                       an epoll loop: when each of COUNT additions was heard, "heard", likewise
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/mptcp.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "netlink.h"

enum {
	POLL_INTERVAL_US = 20,   /* between two looks at the endpoints */
	LATE_US = 3000000,       /* one endpoint that is not there by then will not come */
	DEADLINE_US = 10000000,  /* for the end of a storm */
	MOST_LATE = 5,           /* addresses that were not followed */
	STABLE_US = 300000,      /* endpoints are right when they stay so */
	POOL = 5,                /* addresses of a storm; with what is there already, fewer than the kernel's 8 slots */
};

struct address {
	int family;
	size_t length;
	uint8_t bytes[16];
};

static int routing, generic; /* sockets */
static struct mptcp_pm mptcp;

static uint64_t now_ns(void) {
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static double now_us(void) {
	return now_ns() / 1e3;
}

static void sleep_us(long microseconds) {
	struct timespec time = {.tv_sec = microseconds / 1000000, .tv_nsec = microseconds % 1000000 * 1000};
	nanosleep(&time, NULL);
}

static void report(const char *name, double value) {
	printf("%s %.1f\n", name, value);
}

/* -------------------------------------------------------------------------------------- addresses, endpoints */

static struct address parse_address(const char *text) {
	struct address address = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};
	address.length = address.family == AF_INET ? 4 : 16;
	if (inet_pton(address.family, text, address.bytes) != 1) errx(2, "%s is no address", text);
	return address;
}

/* The address that comes `offset` (up to 65535) after another whose last two bytes are small. */
static struct address following(struct address address, unsigned offset) {
	uint8_t *low = address.bytes + address.length - 2;
	unsigned value = low[0] * 256 + low[1] + offset;
	low[0] = value >> 8;
	low[1] = value;
	return address;
}

/* RTM_NEWADDR or RTM_DELADDR of a host address; IPv6 without duplicate address detection. */
static void change_address(uint16_t type, const struct address *address, unsigned device) {
	struct ifaddrmsg header = {
		.ifa_family = address->family,
		.ifa_prefixlen = address->length * 8,
		.ifa_flags = address->family == AF_INET6 ? IFA_F_NODAD : 0,
		.ifa_index = device,
	};
	uint16_t create = type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_EXCL : 0;
	struct request request = begin(type, NLM_F_ACK | create, &header, sizeof header);
	add_attribute(&request, IFA_LOCAL, address->bytes, address->length);
	add_attribute(&request, IFA_ADDRESS, address->bytes, address->length);
	transmit(routing, &request);
	int error = receive(routing, NLMSG_NOOP, NULL, NULL);
	if (error < 0) errx(1, "%s an address: %s", type == RTM_NEWADDR ? "add" : "remove", strerror(-error));
}

struct search {
	const struct address *addresses;
	unsigned count, found; /* a bit for each address */
};

static void compare_address(const struct nlattr *attribute, void *context) {
	struct search *search = context;
	uint16_t type = type_of(attribute);
	if (type != MPTCP_PM_ADDR_ATTR_ADDR4 && type != MPTCP_PM_ADDR_ATTR_ADDR6) return;
	for (unsigned i = 0; i < search->count; i++) {
		const struct address *address = &search->addresses[i];
		if (attribute->nla_len == NLA_HDRLEN + address->length &&
		    memcmp(attribute + 1, address->bytes, address->length) == 0)
			search->found |= 1u << i;
	}
}

static void open_endpoint(const struct nlattr *attribute, void *context) {
	for_nested(attribute, compare_address, context);
}

static void open_endpoint_message(const struct nlmsghdr *message, void *context) {
	for_generic(message, open_endpoint, context);
}

/* Which of the addresses are endpoints: a bit for each. */
static unsigned find_endpoints(const struct address *addresses, unsigned count) {
	struct search search = {.addresses = addresses, .count = count};
	struct request request = begin_generic(mptcp.family, NLM_F_DUMP, MPTCP_PM_CMD_GET_ADDR);
	transmit(generic, &request);
	int error = receive(generic, mptcp.family, open_endpoint_message, &search);
	if (error < 0) errx(1, "list endpoints: %s", strerror(-error));
	return search.found;
}

static void flush_endpoints(void) {
	struct request request = begin_generic(mptcp.family, NLM_F_ACK, MPTCP_PM_CMD_FLUSH_ADDRS);
	transmit(generic, &request);
	int error = receive(generic, NLMSG_NOOP, NULL, NULL);
	if (error < 0) errx(1, "flush endpoints: %s", strerror(-error));
}

/* Waits until an address is an endpoint, or is none; the time since `start`, or -1. */
static double wait_for_endpoint(const struct address *address, bool present, double start) {
	while (now_us() - start < LATE_US) {
		if ((find_endpoints(address, 1) != 0) == present) return now_us() - start;
		sleep_us(POLL_INTERVAL_US);
	}
	return -1;
}

/* --------------------------------------------------------------------------------------------- measurements */

static void measure_latency(unsigned count, struct address first, unsigned device, long gap_ms) {
	unsigned late = 0;
	for (unsigned i = 0; i < count; i++) {
		struct address address = following(first, i);
		double start = now_us();
		change_address(RTM_NEWADDR, &address, device);
		double added = wait_for_endpoint(&address, true, start);
		start = now_us();
		change_address(RTM_DELADDR, &address, device);
		double removed = wait_for_endpoint(&address, false, start);
		if (added < 0 || removed < 0) {
			/* One that has become deaf would take a second for each of them. */
			if (++late == MOST_LATE) {
				late += count - i - 1;
				break;
			}
			continue;
		}
		report("add", added);
		report("remove", removed);
		if (gap_ms) sleep_us(gap_ms * 1000);
	}
	report("late", late);
}

static void measure_start(struct address address, char **command) {
	extern char **environ;
	pid_t pid;
	flush_endpoints();
	double start = now_us();
	int error = posix_spawnp(&pid, command[0], NULL, NULL, command, environ);
	if (error) errx(1, "%s: %s", command[0], strerror(error));
	report("start", wait_for_endpoint(&address, true, start));
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

/* Waits until exactly the wanted addresses are endpoints, and stay so. The time since `start` when it began, or -1. */
static double wait_until_right(const struct address *addresses, unsigned wanted, double start) {
	double since = 0;
	for (double now = now_us(); now - start < DEADLINE_US; now = now_us()) {
		if (find_endpoints(addresses, POOL) != wanted)
			since = 0;
		else if (since == 0)
			since = now;
		else if (now - since >= STABLE_US)
			return since - start;
		sleep_us(POLL_INTERVAL_US);
	}
	return -1;
}

static void measure_storm(unsigned changes, struct address first, unsigned device) {
	struct address addresses[POOL];
	unsigned assigned = 0;
	uint32_t random = 1; /* the same storm every time */
	for (unsigned i = 0; i < POOL; i++) addresses[i] = following(first, i);
	double start = now_us();
	for (unsigned i = 0; i < changes; i++) {
		random = random * 1664525 + 1013904223;
		unsigned chosen = (random >> 16) % POOL;
		change_address(assigned & (1u << chosen) ? RTM_DELADDR : RTM_NEWADDR, &addresses[chosen], device);
		assigned ^= 1u << chosen;
	}
	report("sent", now_us() - start);
	report("right", wait_until_right(addresses, assigned, start));

	struct address another = following(first, POOL);
	start = now_us();
	change_address(RTM_NEWADDR, &another, device);
	report("awake", wait_for_endpoint(&another, true, start));
}

static void send_additions(unsigned count, struct address address, unsigned device) {
	for (unsigned i = 0; i < count; i++) {
		printf("sent %llu\n", (unsigned long long)now_ns());
		change_address(RTM_NEWADDR, &address, device);
		sleep_us(1000);
		change_address(RTM_DELADDR, &address, device);
	}
}

static void note_time(const struct nlmsghdr *message, uint64_t *times, unsigned *heard) {
	if (message->nlmsg_type == RTM_NEWADDR) times[(*heard)++] = now_ns();
}

static void listen_to_additions(unsigned count) {
	static uint8_t buffer[65536] __attribute__((aligned(NLMSG_ALIGNTO)));
	uint64_t *times = calloc(count + 1, sizeof *times);
	unsigned heard = 0;
	int group = RTNLGRP_IPV4_IFADDR, loop = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};
	if (!times || setsockopt(routing, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0 ||
	    epoll_ctl(loop, EPOLL_CTL_ADD, routing, &event) < 0)
		err(1, "listen");
	printf("ready 0\n");
	fflush(stdout);
	while (heard < count) {
		if (epoll_wait(loop, &event, 1, -1) < 0) continue;
		ssize_t received = recv(routing, buffer, sizeof buffer, MSG_DONTWAIT);
		unsigned left = received > 0 ? received : 0;
		for (struct nlmsghdr *message = (void *)buffer; NLMSG_OK(message, left) && heard < count;
		     message = NLMSG_NEXT(message, left))
			note_time(message, times, &heard);
	}
	for (unsigned i = 0; i < count; i++) printf("heard %llu\n", (unsigned long long)times[i]);
}

static unsigned device_index(const char *name) {
	unsigned index = if_nametoindex(name);
	if (!index) err(1, "%s", name);
	return index;
}

int main(int count, char **words) {
	const char *command = count > 1 ? words[1] : "";
	prctl(PR_SET_TIMERSLACK, 1); /* sleep as long as is said, and not 50 µs longer */
	routing = open_netlink(NETLINK_ROUTE);
	generic = open_netlink(NETLINK_GENERIC);
	mptcp = find_mptcp_pm(generic);
	if (strcmp(command, "latency") == 0 && count == 6)
		measure_latency(atoi(words[2]), parse_address(words[3]), device_index(words[4]), atol(words[5]));
	else if (strcmp(command, "start") == 0 && count >= 4)
		measure_start(parse_address(words[2]), words + 3);
	else if (strcmp(command, "storm") == 0 && count == 5)
		measure_storm(atoi(words[2]), parse_address(words[3]), device_index(words[4]));
	else if (strcmp(command, "send") == 0 && count == 5)
		send_additions(atoi(words[2]), parse_address(words[3]), device_index(words[4]));
	else if (strcmp(command, "listen") == 0 && count == 3)
		listen_to_additions(atoi(words[2]));
	else
		errx(2, "see the head of bench/meter.c");
	return 0;
}
