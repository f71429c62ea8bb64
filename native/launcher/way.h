/* By which way a program is converted: decided from what it is and what was asked for. */
#ifndef WAY_H
#define WAY_H

#include "program.h"

#include <stdbool.h>
#include <stddef.h>

enum how { HOW_AUTO, HOW_PRELOAD, HOW_SECCOMP, HOW_BPF };

enum way {
	WAY_NONE,
	WAY_PRELOAD, /* LD_PRELOAD: what calls libc's socket() */
	WAY_GO,      /* GODEBUG: Go since 1.21 */
	WAY_SECCOMP, /* a supervisor answers the system call */
	WAY_BPF,     /* a kernel program, for a cgroup */
};

struct decision {
	enum way way;
	const char *library;         /* to be preloaded; NULL if it cannot be */
	char remark[PATH_MAX + 128]; /* with WAY_NONE what is in the way, else what is not converted; or "" */
};

const char *way_name(enum way way);

enum { DESCRIPTION_SIZE = 2 * PATH_MAX + 256 };

/* For people: "script of /usr/bin/python3, dynamically linked, glibc". `text` has DESCRIPTION_SIZE bytes. */
void describe_program(const struct program *program, char *text);

/* `strict`: what is uncertain is in the way. */
void decide(const struct program *program, enum how how, bool strict, const char *library,
            struct decision *decision);

#endif
