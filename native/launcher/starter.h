/*
 * Commands that start another program and take our variables from it, or do not start it themselves: env -i, sudo,
 * chroot, systemd-run. They are known by their names, and what they do by their options.
 */
#ifndef STARTER_H
#define STARTER_H

#include <stdbool.h>
#include <stddef.h>

struct starter {
	/* What keeps LD_PRELOAD and GODEBUG from the program: "sudo clears the environment"; or "". */
	char loss[64];
	/* Whether another process starts the program, which nothing reaches then. `loss` says which. */
	bool elsewhere;
	/* The names of the commands in their order, up to the program. Those after so many are not looked at. */
	const char *commands[8];
	size_t count;
};

/*
 * Looks at a command and the arguments with which it is run, and through commands that change nothing for the program
 * ("nice", "timeout 5") at the next. `is_command` tells whether a word is the name of a program.
 */
void look_at_starter(char *const command[], bool is_command(const char *name), struct starter *starter);

#endif
