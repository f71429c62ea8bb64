#define _GNU_SOURCE
#include "caller.h"

#include "listener.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

bool open_caller(int listener, int proc, const struct seccomp_notif *request, struct caller *caller) {
	char path[16];
	snprintf(path, sizeof path, "%u", request->pid);
	*caller = (struct caller){.listener = listener, .id = request->id, .pid = (pid_t)request->pid};
	caller->directory = openat(proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (caller->directory < 0) return false;
	if (still_waits(caller)) return true;
	close_caller(caller);
	return false;
}

void close_caller(const struct caller *caller) {
	close(caller->directory);
}

bool still_waits(const struct caller *caller) {
	uint64_t id = caller->id;
	return listener_ioctl(caller->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

ino_t network_of(int directory) {
	struct stat file;
	return fstatat(directory, "net/dev", &file, 0) < 0 ? 0 : file.st_ino;
}

bool enter_network_of(const struct caller *caller) {
	int network = openat(caller->directory, "ns/net", O_RDONLY | O_CLOEXEC);
	int user = openat(caller->directory, "ns/user", O_RDONLY | O_CLOEXEC);
	bool entered = setns(network, CLONE_NEWNET) == 0;
	/* To the one who made that user namespace, as the user who started us may have, it gives the right. */
	if (!entered) entered = setns(user, CLONE_NEWUSER) == 0 && setns(network, CLONE_NEWNET) == 0;
	if (network >= 0) close(network);
	if (user >= 0) close(user);
	return entered;
}

static bool take_id(int set(unsigned id), unsigned id) {
	/* They give what was before; an id that does not exist changes nothing (setfsuid(2)). */
	if ((unsigned)set(-1) != id) set(id);
	return (unsigned)set(-1) == id;
}

bool take_ids_of(const struct caller *caller) {
	struct stat directory;
	return fstat(caller->directory, &directory) == 0 && take_id(setfsgid, directory.st_gid) &&
	       take_id(setfsuid, directory.st_uid);
}

void take_own_ids(void) {
	setfsuid(geteuid());
	setfsgid(getegid());
}

int find_socket(const struct caller *caller, ino_t socket) {
	int directory = openat(caller->directory, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = -1;
	if (directory < 0) return -1;
	DIR *files = fdopendir(directory);
	if (!files) {
		close(directory);
		return -1;
	}
	for (struct dirent *entry; found < 0 && (entry = readdir(files));) {
		struct stat file;
		if (fstatat(directory, entry->d_name, &file, 0) == 0 && S_ISSOCK(file.st_mode) && file.st_ino == socket)
			found = atoi(entry->d_name);
	}
	closedir(files);
	return found;
}
