#define _GNU_SOURCE
#include "rights.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint32_t of_networking = 1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW;

static bool get_rights(struct rights *rights) {
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	return syscall(SYS_capget, &header, rights->data) == 0;
}

static bool set_rights(const struct rights *rights) {
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	return syscall(SYS_capset, &header, rights->data) == 0;
}

bool may_change_rights(void) {
	struct rights rights;
	return get_rights(&rights) && set_rights(&rights);
}

/* A right counts in the user namespace of its owner. */
static bool is_in_own_user_namespace(const struct caller *caller, int proc) {
	struct stat own, other;
	return fstatat(proc, "self/ns/user", &own, 0) == 0 && fstatat(caller->directory, "ns/user", &other, 0) == 0 &&
	       own.st_ino == other.st_ino && own.st_dev == other.st_dev;
}

static uint32_t rights_of(const struct caller *caller, int proc) {
	static const char label[] = "\nCapEff:";
	/* The list of groups before it may be longer, and then there are none. */
	char text[4096];
	if (!is_in_own_user_namespace(caller, proc)) return 0;
	int fd = openat(caller->directory, "status", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	if (fd >= 0) close(fd);
	text[length < 0 ? 0 : length] = '\0';
	const char *found = strstr(text, label);
	return found ? (uint32_t)strtoull(found + sizeof label - 1, NULL, 16) : 0;
}

bool lower_rights(const struct caller *caller, int proc, struct rights *before) {
	if (!get_rights(before)) return false;
	if (!(before->data[0].effective & of_networking)) return true;
	struct rights lower = *before;
	lower.data[0].effective &= ~of_networking | rights_of(caller, proc);
	return lower.data[0].effective == before->data[0].effective || set_rights(&lower);
}

void restore_rights(const struct rights *before) {
	struct rights now;
	if (!get_rights(&now) || now.data[0].effective != before->data[0].effective) set_rights(before);
}
