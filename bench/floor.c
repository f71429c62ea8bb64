/*
 * floor: the least that a program can do in the place of mptcpd, in an epoll loop, so that the benchmarks show what the
 * kernel itself takes. floor.ts does the same in Node.
 *
 *   floor endpoints DEVICE   makes an endpoint of each address of DEVICE, and deletes it with the address
 *   floor subflows [FROM]    counts connections, and adds a subflow from an IPv4 address to each that is opened here.
 *                            At SIGTERM it says how many were "created" and "closed"
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "netlink.h"

#ifndef MPTCP_PM_EV_FLAG_SERVER_SIDE
#define MPTCP_PM_EV_FLAG_SERVER_SIDE (1 << 1) /* Linux 6.18 */
#endif

enum {
	ENDPOINTS = 8,            /* as many as the kernel takes; their ids are 1 and on */
	SUBFLOW_ID = 1,           /* the address id of FROM */
	RECEIVE_BUFFER = 8 << 20, /* as mptcpd's sockets have */
};

static int events, commands; /* sockets */
static struct mptcp_pm mptcp;

/* ---------------------------------------------------------------------------------------------- endpoints */

static unsigned device;
static struct address {
	size_t length;
	uint8_t bytes[16];
} endpoints[ENDPOINTS + 1]; /* by id; length 0: the id is free */

static void read_address(const struct nlattr *attribute, void *context) {
	struct address *address = context;
	if (type_of(attribute) != IFA_ADDRESS) return;
	address->length = attribute->nla_len - NLA_HDRLEN;
	memcpy(address->bytes, attribute + 1, address->length);
}

/* The id of an address, 0 if it is not an endpoint; of the empty address, an id that is free. */
static uint8_t find_id(const struct address *address) {
	for (uint8_t id = 1; id <= ENDPOINTS; id++)
		if (endpoints[id].length == address->length &&
		    memcmp(endpoints[id].bytes, address->bytes, address->length) == 0)
			return id;
	return 0;
}

/* Fills the nested attribute that the request begins with. */
static void end_nested(struct request *request) {
	struct nlattr *nested = (void *)(request->body + GENL_HDRLEN);
	nested->nla_len = request->header.nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN;
}

static void add_endpoint(const struct address *address, uint8_t id) {
	struct request request = begin_generic(mptcp.family, NLM_F_ACK, MPTCP_PM_CMD_ADD_ADDR);
	bool is_ipv4 = address->length == sizeof(struct in_addr);
	uint16_t family = is_ipv4 ? AF_INET : AF_INET6;
	uint32_t flags = MPTCP_PM_ADDR_FLAG_SUBFLOW;
	add_attribute(&request, NLA_F_NESTED | MPTCP_PM_ATTR_ADDR, "", 0);
	add_attribute(&request, MPTCP_PM_ADDR_ATTR_FAMILY, &family, sizeof family);
	add_attribute(&request, MPTCP_PM_ADDR_ATTR_ID, &id, sizeof id);
	add_attribute(&request, MPTCP_PM_ADDR_ATTR_FLAGS, &flags, sizeof flags);
	add_attribute(&request, MPTCP_PM_ADDR_ATTR_IF_IDX, &device, sizeof device);
	add_attribute(&request, is_ipv4 ? MPTCP_PM_ADDR_ATTR_ADDR4 : MPTCP_PM_ADDR_ATTR_ADDR6, address->bytes,
		      address->length);
	end_nested(&request);
	transmit(commands, &request);
}

static void delete_endpoint(uint8_t id) {
	struct request request = begin_generic(mptcp.family, NLM_F_ACK, MPTCP_PM_CMD_DEL_ADDR);
	add_attribute(&request, NLA_F_NESTED | MPTCP_PM_ATTR_ADDR, "", 0);
	add_attribute(&request, MPTCP_PM_ADDR_ATTR_ID, &id, sizeof id);
	end_nested(&request);
	transmit(commands, &request);
}

static void follow_address(const struct nlmsghdr *message) {
	const struct ifaddrmsg *header = NLMSG_DATA(message);
	struct address address = {0};
	if (message->nlmsg_type != RTM_NEWADDR && message->nlmsg_type != RTM_DELADDR) return;
	if (header->ifa_index != device || header->ifa_scope != RT_SCOPE_UNIVERSE) return;
	for_attributes((const uint8_t *)IFA_RTA(header), (const uint8_t *)message + message->nlmsg_len, read_address, &address);
	uint8_t id = find_id(&address);
	if (message->nlmsg_type == RTM_DELADDR && id != 0) {
		endpoints[id].length = 0;
		delete_endpoint(id);
	} else if (message->nlmsg_type == RTM_NEWADDR && id == 0 && (id = find_id(&(struct address){0})) != 0) {
		endpoints[id] = address;
		add_endpoint(&address, id);
	}
}

static void join(int protocol_group) {
	if (setsockopt(events, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &protocol_group, sizeof protocol_group) < 0)
		err(1, "join group %d", protocol_group);
}

static void begin_endpoints(const char *name) {
	struct ifaddrmsg all = {.ifa_family = AF_UNSPEC};
	device = if_nametoindex(name);
	if (device == 0) err(1, "%s", name);
	events = open_netlink(NETLINK_ROUTE);
	join(RTNLGRP_IPV4_IFADDR);
	join(RTNLGRP_IPV6_IFADDR);
	/* Its answer comes as notifications do. */
	struct request request = begin(RTM_GETADDR, NLM_F_DUMP, &all, sizeof all);
	transmit(events, &request);
}

/* ----------------------------------------------------------------------------------------------- subflows */

static struct in_addr from;
static unsigned created, closed;

struct connection {
	uint32_t token;
	uint32_t remote;
	uint16_t port; /* as the kernel takes it, in this machine's order */
	bool is_server;
};

static void read_event(const struct nlattr *attribute, void *context) {
	struct connection *connection = context;
	const void *value = attribute + 1;
	switch (type_of(attribute)) {
	case MPTCP_ATTR_TOKEN:
		connection->token = *(const uint32_t *)value;
		break;
	case MPTCP_ATTR_DADDR4:
		connection->remote = *(const uint32_t *)value;
		break;
	case MPTCP_ATTR_DPORT:
		connection->port = ntohs(*(const uint16_t *)value);
		break;
	case MPTCP_ATTR_SERVER_SIDE:
		connection->is_server |= *(const uint8_t *)value != 0;
		break;
	case MPTCP_ATTR_FLAGS:
		connection->is_server |= (*(const uint16_t *)value & MPTCP_PM_EV_FLAG_SERVER_SIDE) != 0;
		break;
	}
}

static void create_subflow(const struct connection *connection) {
	const uint16_t family = AF_INET;
	const uint8_t id = SUBFLOW_ID;
	struct request request = begin_generic(mptcp.family, NLM_F_ACK, MPTCP_PM_CMD_SUBFLOW_CREATE);
	add_attribute(&request, NLA_F_NESTED | MPTCP_PM_ATTR_ADDR, "", 0);
	add_attribute(&request, MPTCP_PM_ADDR_ATTR_FAMILY, &family, sizeof family);
	add_attribute(&request, MPTCP_PM_ADDR_ATTR_ID, &id, sizeof id);
	add_attribute(&request, MPTCP_PM_ADDR_ATTR_ADDR4, &from, sizeof from);
	end_nested(&request);
	add_attribute(&request, MPTCP_PM_ATTR_TOKEN, &connection->token, sizeof connection->token);
	struct nlattr *remote = (void *)((uint8_t *)&request + NLMSG_ALIGN(request.header.nlmsg_len));
	add_attribute(&request, NLA_F_NESTED | MPTCP_PM_ATTR_ADDR_REMOTE, "", 0);
	add_attribute(&request, MPTCP_PM_ADDR_ATTR_FAMILY, &family, sizeof family);
	add_attribute(&request, MPTCP_PM_ADDR_ATTR_ADDR4, &connection->remote, sizeof connection->remote);
	add_attribute(&request, MPTCP_PM_ADDR_ATTR_PORT, &connection->port, sizeof connection->port);
	remote->nla_len = (uint8_t *)&request + request.header.nlmsg_len - (uint8_t *)remote;
	transmit(commands, &request);
}

static void follow_connection(const struct nlmsghdr *message) {
	struct connection connection = {0};
	switch (((const struct genlmsghdr *)NLMSG_DATA(message))->cmd) {
	case MPTCP_EVENT_CREATED:
		created++;
		break;
	case MPTCP_EVENT_CLOSED:
		closed++;
		break;
	case MPTCP_EVENT_ESTABLISHED:
		if (from.s_addr == 0) break;
		for_generic(message, read_event, &connection);
		if (!connection.is_server) create_subflow(&connection);
		break;
	}
}

static void begin_subflows(const char *address) {
	if (address && inet_pton(AF_INET, address, &from) != 1) errx(1, "%s is not an IPv4 address", address);
	events = open_netlink(NETLINK_GENERIC);
	join((int)mptcp.events);
}

/* --------------------------------------------------------------------------------------------------- loop */

static volatile sig_atomic_t is_over;

static void end(int number) {
	(void)number;
	is_over = 1;
}

static void watch(int loop, int fd) {
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	int room = RECEIVE_BUFFER;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
	if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) < 0) err(1, "epoll_ctl");
}

static void read_all(int fd, void (*follow)(const struct nlmsghdr *message)) {
	static uint8_t buffer[65536] __attribute__((aligned(NLMSG_ALIGNTO)));
	for (ssize_t received; (received = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0;) {
		unsigned left = received;
		/* An answer to a command says nothing that this program would act on. */
		if (fd == commands) continue;
		for (struct nlmsghdr *message = (void *)buffer; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left))
			follow(message);
	}
}

static void run(void (*follow)(const struct nlmsghdr *message)) {
	int loop = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;
	sigset_t blocked, none;
	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	sigaction(SIGTERM, &(struct sigaction){.sa_handler = end}, NULL);
	watch(loop, events);
	watch(loop, commands);
	while (!is_over)
		if (epoll_pwait(loop, &event, 1, -1, &none) > 0) read_all(event.data.fd, follow);
}

int main(int count, char **words) {
	const char *what = count > 1 ? words[1] : "";
	commands = open_netlink(NETLINK_GENERIC);
	mptcp = find_mptcp_pm(commands);
	if (strcmp(what, "endpoints") == 0 && count == 3) {
		begin_endpoints(words[2]);
		run(follow_address);
	} else if (strcmp(what, "subflows") == 0 && count <= 3) {
		begin_subflows(count == 3 ? words[2] : NULL);
		run(follow_connection);
		printf("created %u closed %u\n", created, closed);
	} else {
		errx(2, "see the head of bench/floor.c");
	}
	return 0;
}
