#include "privilege.h"

#include <endian.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/*
 * Root gains nothing by capabilities. Others start in secure mode if the file's are effective, or leave any permitted
 * (those within the bounding set; what a file only inherits is not looked at).
 */
static bool has_capabilities(const char *path) {
	struct vfs_ns_cap_data data;
	if (getuid() == 0) return false;
	ssize_t size = getxattr(path, "security.capability", &data, sizeof data);
	if (size < (ssize_t)XATTR_CAPS_SZ_2) return false;
	uint32_t magic = le32toh(data.magic_etc);
	/* The third revision, where the kernel did not translate it to the second, is for another user namespace. */
	if ((magic & VFS_CAP_REVISION_MASK) != VFS_CAP_REVISION_2) return false;
	if (magic & VFS_CAP_FLAGS_EFFECTIVE) return true;
	for (int capability = 0; capability < 64; capability++) {
		uint32_t permitted = le32toh(data.data[capability / 32].permitted);
		if (permitted >> capability % 32 & 1 && prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1) return true;
	}
	return false;
}

static void describe(char *by, size_t size, const char *what, unsigned id) {
	if (id == 0) snprintf(by, size, "%s root", what);
	else snprintf(by, size, "%s %u", what, id);
}

bool gains_privilege(const char *path, char *by, size_t size) {
	struct stat file;
	struct statvfs mount;
	if (stat(path, &file) < 0) return false;
	bool setuid = file.st_mode & S_ISUID && file.st_uid != getuid();
	/* Without execution for the group, the bit means mandatory locking. */
	bool setgid = (file.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && file.st_gid != getgid();
	bool capable = has_capabilities(path);
	if (!setuid && !setgid && !capable) return false;
	if (statvfs(path, &mount) == 0 && mount.f_flag & ST_NOSUID) return false;
	bool no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	if (setuid && !no_new_privs) describe(by, size, "setuid", file.st_uid);
	else if (setgid && !no_new_privs) describe(by, size, "setgid", file.st_gid);
	/* With no_new_privs they are gained no more, but the loader is told all the same. */
	else if (capable) snprintf(by, size, "file capabilities");
	else return false;
	return true;
}
