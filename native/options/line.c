#include "line.h"

void begin_line(struct line *line, const char *text) {
	line->length = 0;
	add_text(line, text);
}

void add_text(struct line *line, const char *text) {
	while (*text && line->length < sizeof line->text) line->text[line->length++] = *text++;
}

static void add_number(struct line *line, unsigned value, unsigned base) {
	char digits[sizeof value * 3 + 1], *digit = digits + sizeof digits;
	*--digit = '\0';
	do *--digit = "0123456789abcdef"[value % base];
	while (value /= base);
	add_text(line, digit);
}

void add_decimal(struct line *line, int value) {
	if (value < 0) add_text(line, "-");
	add_number(line, value < 0 ? -(unsigned)value : (unsigned)value, 10);
}

void add_hexadecimal(struct line *line, const char *label, int value) {
	add_text(line, label);
	add_number(line, (unsigned)value, 16);
}
