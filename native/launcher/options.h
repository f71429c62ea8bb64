/* The command line of `mptcpize run`. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "../options/refused.h"
#include "way.h"

#include <stdbool.h>

struct options {
	bool debug;
	bool off;     /* force TCP instead */
	bool strict;  /* run nothing rather than as TCP */
	bool dry_run; /* only say what would be done */
	bool help;
	enum how how;
	enum option_policy policy; /* about socket options that MPTCP refuses */
	char **command; /* the program and its arguments; its first is what is looked for */
	char *argv0; /* what the program gets as its name */
};

/*
 * `argv` begins with "run". Ends with a message for what is wrong. Values of --env are put into this process's
 * environment, which is only allowed where it executes nothing.
 */
struct options parse_options(int argc, char *argv[]);

/* As in --options and MPTCPWRAP_OPTIONS. */
const char *option_policy_name(enum option_policy policy);

#endif
