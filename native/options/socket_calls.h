/*
 * Calls about sockets that reach the kernel as they are: -1 and errno, as libc's. libc's own may be those of
 * libmptcpwrap.so, where this program was itself started under `mptcpize run`.
 */
#ifndef SOCKET_CALLS_H
#define SOCKET_CALLS_H

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int kernel_socket(int family, int type, int protocol) {
	return (int)syscall(SYS_socket, family, type, protocol);
}

static inline int kernel_setsockopt(int socket, int level, int name, const void *value, socklen_t length) {
	return (int)syscall(SYS_setsockopt, socket, level, name, value, length);
}

static inline int kernel_getsockopt(int socket, int level, int name, void *value, socklen_t *length) {
	return (int)syscall(SYS_getsockopt, socket, level, name, value, length);
}

#endif
