/* Which file a command executes, and what stands behind it: scripts lead to their interpreters. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "executable.h"

#include <limits.h>
#include <stdbool.h>

struct program {
	bool script;
	bool clears_environment;  /* its "#!" line has env(1) start the interpreter without our variables */
	bool readable;            /* otherwise nothing is known of the executable */
	char path[PATH_MAX];      /* for execve(2) */
	char inspected[PATH_MAX]; /* the file that in the end runs: `path`, or the interpreter of a script */
	struct executable executable;
};

/*
 * Looks for the command as execvp(3) does, and at what it finds. 0 or -errno, as the execution would end; `path` is
 * then what could not be executed.
 */
int find_program(const char *name, struct program *program);

#endif
