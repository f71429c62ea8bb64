/* What the library knows from its start on: the functions that it wraps, and the variables that it reads. */
#ifndef SETUP_H
#define SETUP_H

#include "../options/refused.h"

#include <stdatomic.h>
#include <stdbool.h>

typedef int socket_call(int family, int type, int protocol);
typedef int set_option_call(int socket, int level, int name, const void *value, unsigned length);
typedef int get_option_call(int socket, int level, int name, void *value, unsigned *length);

/* Those of libc, or of other libraries that wrap them, and MPTCPWRAP_DEBUG, MPTCPWRAP_OFF and MPTCPWRAP_OPTIONS. */
struct setup {
	/* NULL before set_up, and set last. */
	_Atomic(socket_call *) socket;
	_Atomic(set_option_call *) set_option;
	_Atomic(get_option_call *) get_option;
	atomic_bool debug, off;
	_Atomic(enum option_policy) policy;
};

extern struct setup setup;

/* Also for a call from the constructor of another library, before ours was called. errno stays. */
void set_up(void);

#endif
