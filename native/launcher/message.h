/* What the launcher says, on standard error; and how it ends where it runs nothing. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stddef.h>

enum exit_code {
	EXIT_USAGE = 64,       /* EX_USAGE of sysexits.h */
	EXIT_REFUSED = 125,    /* the launcher itself cannot; the three as env(1) and nohup(1) */
	EXIT_NOT_EXECUTED = 126,
	EXIT_NOT_FOUND = 127,
	EXIT_NO_COMMAND = 255, /* as upstream's mptcpize */
};

/* Writes "mptcpize: MESSAGE" and a line feed. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* Says it and ends with that code. */
__attribute__((format(printf, 2, 3), noreturn)) void fail(enum exit_code code, const char *format, ...);

/* malloc(3), or the end */
void *allocate(size_t size);

#endif
