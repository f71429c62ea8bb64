/*
 * System calls as the kernel has them: each gives -errno. No libc is in between, as this goes into programs of any libc,
 * whose own wrappers may be wrapped again. For files that
 * include no header of libc: the constants would collide.
 */
#ifndef KERNEL_CALLS_H
#define KERNEL_CALLS_H

#include "table.h"

#include <stdint.h>
#include <sys/syscall.h>

enum {
	AF_INET = 2,
	AF_INET6 = 10,
	SOCK_STREAM = 1,
	SOCK_CLOEXEC = 02000000,
	IPPROTO_TCP = 6,
	IPPROTO_MPTCP = 262,

	/* Of x86, arm64 and all others that have include/uapi/asm-generic/socket.h */
	SO_REUSEADDR = 2,
	SO_ATTACH_FILTER = 26,
	SO_ACCEPTCONN = 30,
	SO_PROTOCOL = 38,
	SO_DOMAIN = 39,
	SO_COOKIE = 57,
	SO_NETNS_COOKIE = 71,
	SO_BUF_LOCK = 72,

	POLLIN = 0x1,
	POLLHUP = 0x10,
	POLLNVAL = 0x20,
	POLLRDHUP = 0x2000,

	ENOENT = 2,
	EBADF = 9,
	EINVAL = 22,
	ENOPROTOOPT = 92,
	EOPNOTSUPP = 95,
	ENOTCONN = 107,
};

int *__errno_location(void);
long syscall(long number, ...);

static inline int outcome(long result) {
	return result < 0 ? -*__errno_location() : (int)result;
}

static inline int set_option(int socket, int level, int name, const void *value, unsigned length) {
	return outcome(syscall(SYS_setsockopt, socket, level, name, value, length));
}

static inline int get_option(int socket, int level, int name, void *value, unsigned *length) {
	return outcome(syscall(SYS_getsockopt, socket, level, name, value, length));
}

/* An int of level SOL_SOCKET, or `otherwise` if the kernel gives none. */
static inline int socket_fact(int socket, int name, int otherwise) {
	int value = otherwise;
	unsigned length = sizeof value;
	return get_option(socket, LEVEL_SOCKET, name, &value, &length) == 0 ? value : otherwise;
}

/* SO_COOKIE or SO_NETNS_COOKIE; 0 if the kernel gives none. */
static inline uint64_t cookie_of(int socket, int name) {
	uint64_t cookie = 0;
	unsigned length = sizeof cookie;
	return get_option(socket, LEVEL_SOCKET, name, &cookie, &length) == 0 ? cookie : 0;
}

struct poll_entry {
	int fd;
	short events, revents;
};

/* poll(2) without waiting: for how many there is something to tell. */
static inline int poll_now(struct poll_entry *entries, unsigned count) {
	const int64_t at_once[2] = {0, 0};
	return outcome(syscall(SYS_ppoll, entries, count, at_once, (void *)0, 0L));
}

static inline void close_file(int fd) {
	syscall(SYS_close, fd);
}

#endif
