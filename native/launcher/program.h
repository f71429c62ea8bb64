/* Which file a command executes, and what stands behind it: scripts lead to their interpreters. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "executable.h"
#include "starter.h"

#include <limits.h>
#include <stdbool.h>

struct program {
	bool script;
	struct starter starter;   /* what becomes of our variables on the way to what it starts in its place */
	char privileged[64 + 64]; /* of the commands that this starts: "sudo: setuid root" if one gains privilege; or "" */
	bool readable;            /* otherwise nothing is known of the executable */
	char path[PATH_MAX];      /* for execve(2) */
	char inspected[PATH_MAX]; /* the file that in the end runs: `path`, or the interpreter of a script */
	struct executable executable;
};

/*
 * Looks for a command, which stands before its arguments, as execvp(3) does, and at what it finds. 0 or -errno, as the
 * execution would end; `path` is then what could not be executed.
 */
int find_program(char *const command[], struct program *program);

#endif
