#include "escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The general categories Cc, Cf, Zl and Zp of Unicode 15. */
static bool is_unsafe(uint32_t character) {
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0x00, 0x1f}, {0x7f, 0x9f}, {0xad, 0xad}, {0x600, 0x605}, {0x61c, 0x61c}, {0x6dd, 0x6dd}, {0x70f, 0x70f},
		{0x890, 0x891}, {0x8e2, 0x8e2}, {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},
		{0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1343f},
		{0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe007f},
	};
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		if (character >= ranges[i].first && character <= ranges[i].last) return true;
	return false;
}

/* The length of the character at the beginning of a text, and its number; 0 if what is there is not UTF-8 (RFC 3629). */
static size_t decode(const unsigned char *text, uint32_t *character) {
	size_t length = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : text[0] < 0xf5 ? 4 : 0;
	if (length == 0) return 0;
	*character = length == 1 ? text[0] : text[0] & (0x7f >> length);
	/* The NUL at the end is not a continuation. */
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80) return 0;
		*character = *character << 6 | (text[i] & 0x3f);
	}
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	bool is_surrogate = *character >= 0xd800 && *character <= 0xdfff;
	return *character < least[length] || *character > 0x10ffff || is_surrogate ? 0 : length;
}

size_t escape(char *copy, size_t size, const char *text) {
	size_t at = 0;
	const unsigned char *rest = (const unsigned char *)text;
	while (*rest) {
		uint32_t character;
		size_t length = decode(rest, &character);
		bool is_safe = length > 0 && !is_unsafe(character);
		if (length == 0) length = 1;
		if (at + (is_safe ? length : 4 * length) >= size) break;
		if (is_safe) memcpy(copy + at, rest, length);
		else for (size_t i = 0; i < length; i++) snprintf(copy + at + 4 * i, 5, "\\x%02x", rest[i]);
		at += is_safe ? length : 4 * length;
		rest += length;
	}
	copy[at] = '\0';
	return at;
}
