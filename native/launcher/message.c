#include "message.h"

#include <ctype.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void write_line(const char *format, va_list arguments) {
	char line[2 * 4096 + 256]; /* two paths and some words */
	int prefix = snprintf(line, sizeof line, "mptcpize: ");
	int length = prefix + vsnprintf(line + prefix, sizeof line - prefix - 1, format, arguments);
	if (length > (int)sizeof line - 2) length = sizeof line - 2;
	/* Names of files, and what is in them, stay within the line and away from the terminal. */
	for (int i = 0; i < length; i++)
		if (iscntrl((unsigned char)line[i])) line[i] = '?';
	line[length++] = '\n';
	/* Nobody may be reading any more. That must not end a program that is yet to start. */
	struct sigaction ignored = {.sa_handler = SIG_IGN}, before;
	sigaction(SIGPIPE, &ignored, &before);
	ssize_t written = write(STDERR_FILENO, line, length);
	(void)written;
	sigaction(SIGPIPE, &before, NULL);
}

void say(const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	write_line(format, arguments);
	va_end(arguments);
}

void fail(enum exit_code code, const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	write_line(format, arguments);
	va_end(arguments);
	exit(code);
}

void *allocate(size_t size) {
	void *memory = malloc(size);
	if (!memory) fail(EXIT_REFUSED, "out of memory");
	return memory;
}
