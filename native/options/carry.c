#include "carry.h"

#include "kernel_calls.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	F_GETFL = 3,
	F_SETFL = 4,
	F_SETSIG = 10,
	F_GETSIG = 11,
	F_SETOWN_EX = 15,
	F_GETOWN_EX = 16,
	O_APPEND = 02000,
	O_NONBLOCK = 04000,
	O_ASYNC = 020000,
};

/* Obstacles: of an option of carried.def, of anything else */
#define LOST_OPTION(name) ", TCP does not take its " name
#define LOST ", TCP does not take all that was set"

struct carried {
	unsigned char level, number;
	/* Of a size: the option that passes the limit of the host, and its bit of SO_BUF_LOCK. */
	unsigned char forced, lock;
	const char *lost;
};

static const struct carried carried[] = {
#define CARRIED(level, number, name) {level, number, 0, 0, LOST_OPTION(name)},
#define SIZE_CARRIED(level, number, name, forced, lock) {level, number, forced, lock, LOST_OPTION(name)},
#include "carried.def"
#undef CARRIED
#undef SIZE_CARRIED
};

struct content {
	unsigned length;
	unsigned char bytes[64];
};

static bool read_option(int socket, const struct carried *option, struct content *content) {
	content->length = sizeof content->bytes;
	return get_option(socket, option->level, option->number, content->bytes, &content->length) == 0;
}

static bool is_equal(const struct content *one, const struct content *other) {
	if (one->length != other->length) return false;
	for (unsigned i = 0; i < one->length; i++)
		if (one->bytes[i] != other->bytes[i]) return false;
	return true;
}

static bool carry(int old, int made, const struct carried *option) {
	struct content wanted, content;
	/* One that either does not know, such as one of IPv6 on a socket of IPv4, cannot have been set. */
	if (!read_option(old, option, &wanted) || !read_option(made, option, &content)) return true;
	if (is_equal(&content, &wanted)) return true;
	set_option(made, option->level, option->number, wanted.bytes, wanted.length);
	return read_option(made, option, &content) && is_equal(&content, &wanted);
}

static bool carry_size(int old, int made, const struct carried *option) {
	int size = socket_fact(old, option->number, 0), half = size / 2;
	/* Before Linux 5.14 it cannot be told whether the program has set it. */
	int locks = socket_fact(old, SO_BUF_LOCK, -1);
	if (locks >= 0 ? !(locks & option->lock) : socket_fact(made, option->number, 0) == size) return true;
	set_option(made, option->level, option->number, &half, sizeof half);
	if (socket_fact(made, option->number, 0) == size) return true;
	set_option(made, option->level, option->forced, &half, sizeof half);
	return socket_fact(made, option->number, 0) == size;
}

const char *carry_options(int old, int made) {
	for (size_t i = 0; i < sizeof carried / sizeof *carried; i++)
		if (!(carried[i].lock ? carry_size : carry)(old, made, &carried[i])) return carried[i].lost;
	return NULL;
}

const char *carry_hints(struct option_memory *memory, int old, int made) {
	uint64_t cookie = cookie_of(old, SO_COOKIE);
	for (const struct option_row *row = option_rows; row < option_rows + option_row_count; row++) {
		int value;
		if (recall_option(memory, cookie, row, &value) &&
		    set_option(made, row->level, row->number, &value, sizeof value) < 0)
			return LOST;
	}
	return NULL;
}

const char *carry_file_flags(int old, int made) {
	struct {
		int type, id;
	} owner = {0, 0};
	int flags = outcome(syscall(SYS_fcntl, old, F_GETFL)), signal = outcome(syscall(SYS_fcntl, old, F_GETSIG));
	/* The signals would tell of the number that the new socket has here. */
	if (flags < 0 || flags & O_ASYNC) return ", it sends signals";
	if (outcome(syscall(SYS_fcntl, old, F_GETOWN_EX, &owner)) < 0 || signal < 0) return LOST;
	if (owner.id != 0 && outcome(syscall(SYS_fcntl, made, F_SETOWN_EX, &owner)) < 0) return LOST;
	if (signal != 0 && outcome(syscall(SYS_fcntl, made, F_SETSIG, signal)) < 0) return LOST;
	flags &= O_APPEND | O_NONBLOCK;
	return outcome(syscall(SYS_fcntl, made, F_SETFL, flags)) < 0 ? LOST : NULL;
}

/* sockaddr_in and sockaddr_in6 */
struct address {
	uint16_t family, port;
	union {
		uint32_t ipv4;
		struct {
			uint32_t flow, ipv6[4], scope;
		};
	};
};

static bool has_host(const struct address *address) {
	if (address->family == AF_INET) return address->ipv4;
	return address->ipv6[0] || address->ipv6[1] || address->ipv6[2] || address->ipv6[3];
}

const char *carry_address(int old, int made) {
	const int on = 1;
	struct address address;
	unsigned length = sizeof address;
	if (outcome(syscall(SYS_getsockname, old, &address, &length)) < 0) return LOST;
	if (!address.port && !has_host(&address)) return NULL;
	if (address.port) {
		set_option(old, LEVEL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		set_option(made, LEVEL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	}
	return outcome(syscall(SYS_bind, made, &address, length)) < 0 ? ", its address cannot be TCP's as well" : NULL;
}
