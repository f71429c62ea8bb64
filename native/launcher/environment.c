#define _GNU_SOURCE
#include "environment.h"
#include "message.h"

#include <stdbool.h>
#include <string.h>

typedef bool matcher(const char *entry, size_t length);

/* The list without the entries that match, and with the new one at its end; the first separator is put between them. */
static char *merged(const char *list, const char *separators, matcher *is_replaced, const char *added) {
	char *result = allocate(strlen(list) + strlen(added) + 2), *end = result;
	while (*list) {
		size_t length = strcspn(list, separators);
		if (length > 0 && !is_replaced(list, length)) {
			end = mempcpy(end, list, length);
			*end++ = separators[0];
		}
		list += length;
		if (*list) list++;
	}
	/* Without one, the last separator goes. */
	if (!*added && end > result) end--;
	strcpy(end, added);
	return result;
}

static bool starts_with(const char *text, size_t length, const char *prefix) {
	return length >= strlen(prefix) && memcmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_our_library(const char *path, size_t length) {
	const char *slash = memrchr(path, '/', length);
	const char *name = slash ? slash + 1 : path;
	return starts_with(name, path + length - name, "libmptcpwrap.so");
}

char *merged_preload(const char *user, const char *library) {
	return merged(user ? user : "", ": ", is_our_library, library);
}

char *preload_without_library(const char *user) {
	char *others = merged(user, ": ", is_our_library, "");
	return *others ? others : NULL;
}

static bool is_multipathtcp(const char *setting, size_t length) {
	return starts_with(setting, length, "multipathtcp=");
}

char *merged_godebug(const char *user, const char *setting) {
	return merged(user ? user : "", ",", is_multipathtcp, setting);
}
