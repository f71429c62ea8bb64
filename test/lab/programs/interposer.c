/* Another library that wraps socket(), and says what it is asked for. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <sys/socket.h>

int socket(int family, int type, int protocol) {
	int (*next)(int, int, int);
	*(void **)&next = dlsym(RTLD_NEXT, "socket");
	dprintf(1, "interposer: protocol %d\n", protocol);
	return next(family, type, protocol);
}
