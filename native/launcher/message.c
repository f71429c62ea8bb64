#include "message.h"

#include "escape.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void write_line(const char *format, va_list arguments) {
	char message[2 * 4096 + 256]; /* two paths and some words */
	char line[sizeof message + 256];
	vsnprintf(message, sizeof message, format, arguments);
	size_t length = snprintf(line, sizeof line, "mptcpize: ");
	/* Names of files, and what is in them, stay within the line and do not steer the terminal. */
	length += escape(line + length, sizeof line - length - 1, message);
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
