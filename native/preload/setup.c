#include "setup.h"

#include "../options/kernel_calls.h"

#include <stddef.h>

#define RTLD_NEXT ((void *)-1L)

char *getenv(const char *name);
/* Before glibc 2.34 it is in libdl, which the program may not have. */
__attribute__((weak)) void *dlsym(void *handle, const char *name);

struct setup setup;

static int socket_of_kernel(int family, int type, int protocol) {
	return (int)syscall(SYS_socket, family, type, protocol);
}

static int set_option_of_kernel(int socket, int level, int name, const void *value, unsigned length) {
	return (int)syscall(SYS_setsockopt, socket, level, name, value, length);
}

static int get_option_of_kernel(int socket, int level, int name, void *value, unsigned *length) {
	return (int)syscall(SYS_getsockopt, socket, level, name, value, length);
}

static void *next(const char *name, void *of_kernel) {
	void *found = dlsym ? dlsym(RTLD_NEXT, name) : NULL;
	return found ? found : of_kernel;
}

static bool is_equal(const char *one, const char *other) {
	while (*one && *one == *other) one++, other++;
	return *one == *other;
}

static enum option_policy read_policy(void) {
	const char *value = getenv("MPTCPWRAP_OPTIONS");
	if (value && is_equal(value, "tcp")) return OPTIONS_TCP;
	return value && is_equal(value, "refuse") ? OPTIONS_REFUSE : OPTIONS_TOLERATE;
}

/*
 * Once, while the program is being loaded: later, dlsym may wait for a lock that a fork(2) left locked or that a signal
 * interrupted, and getenv may meet a setenv of another thread.
 */
__attribute__((constructor)) void set_up(void) {
	int *error = __errno_location(), before = *error;
	setup.debug = getenv("MPTCPWRAP_DEBUG") != NULL;
	setup.off = getenv("MPTCPWRAP_OFF") != NULL;
	setup.policy = read_policy();
	setup.set_option = (set_option_call *)next("setsockopt", (void *)set_option_of_kernel);
	setup.get_option = (get_option_call *)next("getsockopt", (void *)get_option_of_kernel);
	/* Last: who sees it sees the others. */
	setup.socket = (socket_call *)next("socket", (void *)socket_of_kernel);
	*error = before;
}
