/* Where the launcher's parts are: beside it, or where a package said at compile time. */
#ifndef INSTALLATION_H
#define INSTALLATION_H

#include <stdbool.h>

struct installation {
	const char *launcher; /* absolute, through all links; "" where /proc is not mounted */
	const char *library;
	const char *node;
	const char *script;   /* for node: every command but `run` */
};

/* The strings stay valid. */
struct installation find_installation(void);

/* Why a program cannot be given the library; NULL if it can. */
const char *library_problem(const char *library);

/* Executes the Node side with these arguments; returns only to end with a message, if it cannot. */
__attribute__((noreturn)) void execute_node(const struct installation *installation, char *const arguments[]);

#endif
