/* What the programs of the benchmarks send and read by netlink. */
#ifndef NETLINK_H
#define NETLINK_H

#include <err.h>
#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* A request under construction: a header, what follows it, attributes. */
struct request {
	struct nlmsghdr header;
	uint8_t body[256];
};

static uint32_t sequence;

static inline int open_netlink(int protocol) {
	struct sockaddr_nl any = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof any) < 0) err(1, "netlink socket");
	return fd;
}

static inline struct request begin(uint16_t type, uint16_t flags, const void *header, size_t length) {
	struct request request = {
		.header = {NLMSG_LENGTH(length), type, NLM_F_REQUEST | flags, ++sequence, 0},
	};
	memcpy(request.body, header, length);
	return request;
}

static inline struct request begin_generic(uint16_t type, uint16_t flags, uint8_t command) {
	struct genlmsghdr header = {.cmd = command, .version = 1};
	return begin(type, flags, &header, sizeof header);
}

static inline void add_attribute(struct request *request, uint16_t type, const void *data, size_t length) {
	struct nlattr *attribute = (void *)((uint8_t *)request + NLMSG_ALIGN(request->header.nlmsg_len));
	attribute->nla_type = type;
	attribute->nla_len = NLA_HDRLEN + length;
	memcpy(attribute + 1, data, length);
	request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + NLA_ALIGN(attribute->nla_len);
}

static inline void transmit(int fd, const struct request *request) {
	if (send(fd, request, request->header.nlmsg_len, 0) < 0) err(1, "netlink send");
}

/* Calls `each` with every message of a type until the kernel's answer ends; 0 or -errno. */
static inline int receive(int fd, uint16_t type, void (*each)(const struct nlmsghdr *message, void *context),
			  void *context) {
	static uint8_t buffer[65536] __attribute__((aligned(NLMSG_ALIGNTO)));
	for (;;) {
		ssize_t received = recv(fd, buffer, sizeof buffer, 0);
		if (received < 0) err(1, "netlink receive");
		unsigned left = received;
		for (struct nlmsghdr *message = (void *)buffer; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
			if (message->nlmsg_type == NLMSG_ERROR) return ((struct nlmsgerr *)NLMSG_DATA(message))->error;
			if (message->nlmsg_type == NLMSG_DONE) return 0;
			if (message->nlmsg_type == type) each(message, context);
		}
	}
}

/* Calls `each` with every attribute between two places. */
static inline void for_attributes(const uint8_t *at, const uint8_t *end,
				  void (*each)(const struct nlattr *attribute, void *context), void *context) {
	while (at + NLA_HDRLEN <= end) {
		const struct nlattr *attribute = (const void *)at;
		if (attribute->nla_len < NLA_HDRLEN || at + attribute->nla_len > end) return;
		each(attribute, context);
		at += NLA_ALIGN(attribute->nla_len);
	}
}

/* Calls `each` with every attribute in another. */
static inline void for_nested(const struct nlattr *attribute,
			      void (*each)(const struct nlattr *attribute, void *context), void *context) {
	const uint8_t *start = (const uint8_t *)attribute;
	for_attributes(start + NLA_HDRLEN, start + attribute->nla_len, each, context);
}

/* Calls `each` with every attribute of a message of generic netlink. */
static inline void for_generic(const struct nlmsghdr *message,
			       void (*each)(const struct nlattr *attribute, void *context), void *context) {
	const uint8_t *end = (const uint8_t *)message + message->nlmsg_len;
	for_attributes((const uint8_t *)NLMSG_DATA(message) + GENL_HDRLEN, end, each, context);
}

static inline uint16_t type_of(const struct nlattr *attribute) {
	return attribute->nla_type & NLA_TYPE_MASK;
}

/* The kernel's numbers of its path manager: the family of its messages, and the group of its events. */
struct mptcp_pm {
	uint16_t family;
	uint32_t events;
};

/* One multicast group: its name and its number come in any order. */
struct group {
	uint32_t number;
	bool is_wanted;
};

static inline void read_group_attribute(const struct nlattr *attribute, void *context) {
	struct group *group = context;
	if (type_of(attribute) == CTRL_ATTR_MCAST_GRP_ID) memcpy(&group->number, attribute + 1, sizeof group->number);
	if (type_of(attribute) == CTRL_ATTR_MCAST_GRP_NAME)
		group->is_wanted = strcmp((const char *)(attribute + 1), MPTCP_PM_EV_GRP_NAME) == 0;
}

static inline void read_group(const struct nlattr *attribute, void *context) {
	struct mptcp_pm *pm = context;
	struct group group = {0};
	for_nested(attribute, read_group_attribute, &group);
	if (group.is_wanted) pm->events = group.number;
}

static inline void read_family_attribute(const struct nlattr *attribute, void *context) {
	struct mptcp_pm *pm = context;
	if (type_of(attribute) == CTRL_ATTR_FAMILY_ID) memcpy(&pm->family, attribute + 1, sizeof pm->family);
	if (type_of(attribute) == CTRL_ATTR_MCAST_GROUPS) for_nested(attribute, read_group, pm);
}

static inline void read_family_message(const struct nlmsghdr *message, void *context) {
	for_generic(message, read_family_attribute, context);
}

static inline struct mptcp_pm find_mptcp_pm(int generic) {
	struct mptcp_pm pm = {0};
	struct request request = begin_generic(GENL_ID_CTRL, NLM_F_ACK, CTRL_CMD_GETFAMILY);
	add_attribute(&request, CTRL_ATTR_FAMILY_NAME, MPTCP_PM_NAME, sizeof MPTCP_PM_NAME);
	transmit(generic, &request);
	if (receive(generic, GENL_ID_CTRL, read_family_message, &pm) < 0 || pm.family == 0)
		errx(1, "this kernel has no MPTCP");
	return pm;
}

#endif
