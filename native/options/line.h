/* A line for standard error, put together without libc. */
#ifndef LINE_H
#define LINE_H

#include <stddef.h>

struct line {
	size_t length;
	char text[192];
};

void begin_line(struct line *line, const char *text);
/* What has no room is left out. */
void add_text(struct line *line, const char *text);
void add_decimal(struct line *line, int value);
/* With a label before it, such as " type 0x". */
void add_hexadecimal(struct line *line, const char *label, int value);

#endif
