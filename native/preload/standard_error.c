#include "standard_error.h"

#include "../options/kernel_calls.h"

#include <stdbool.h>

enum { STDERR_FILENO = 2 };

/* A program that has closed it gets the number for a connection of its own, in which we have nothing to say. */
static bool is_connection(void) {
	int domain = socket_fact(STDERR_FILENO, SO_DOMAIN, 0);
	return domain == AF_INET || domain == AF_INET6;
}

void print_line(const struct line *line) {
	if (!is_connection()) syscall(SYS_write, STDERR_FILENO, line->text, line->length);
}
