/* Text that others can choose, as a terminal may see it: src/base/text.ts does the same for the other programs. */
#ifndef ESCAPE_H
#define ESCAPE_H

#include <stddef.h>

/*
 * Copies text, which may be of any bytes, with "\xff" for each byte of a control, of a character without a glyph, and of
 * what is not UTF-8. Stops before `size` would not do; the copy ends with a NUL. Returns its length.
 */
size_t escape(char *copy, size_t size, const char *text);

#endif
