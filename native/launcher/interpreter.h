/* The first line of a script. */
#ifndef INTERPRETER_H
#define INTERPRETER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { SCRIPT_LINE_SIZE = 256 }; /* BINPRM_BUF_SIZE: as much as the kernel reads */

struct interpreter {
	char path[SCRIPT_LINE_SIZE];
	/* "#!/usr/bin/env NAME": env(1) looks for it in the PATH; "" for every other line */
	char name[SCRIPT_LINE_SIZE];
	bool clears_environment; /* env -i */
};

/*
 * Reads "#!INTERPRETER [ARGUMENT]" as load_script() in the kernel's fs/binfmt_script.c does. False for what it does
 * not take as a script.
 */
bool parse_script_line(const char *start, size_t size, struct interpreter *interpreter);

#endif
