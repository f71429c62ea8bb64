#define _GNU_SOURCE
#include "reach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* Linux 6.9 */
#endif

static int open_process(pid_t pid, unsigned flags) {
	long fd = syscall(SYS_pidfd_open, pid, flags);
	return fd < 0 ? -errno : (int)fd;
}

static int get_file(int process, int number) {
	long fd = syscall(SYS_pidfd_getfd, process, number, 0);
	return fd < 0 ? -errno : (int)fd;
}

bool may_reach(void) {
	int process = open_process(getpid(), 0);
	if (process < 0) return false;
	int file = get_file(process, process);
	close(process);
	if (file >= 0) close(file);
	return file >= 0;
}

/* The text of a file in the caller's directory, as far as there is room. */
static bool read_text(const struct caller *caller, const char *name, char *text, size_t size) {
	int fd = openat(caller->directory, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return false;
	ssize_t length = read(fd, text, size - 1);
	close(fd);
	text[length < 0 ? 0 : length] = '\0';
	return length > 0;
}

/* Before Linux 6.9 threads have no pidfd of their own, but they have the files of their process, nearly always. */
static int open_process_of(const struct caller *caller) {
	int process = open_process(caller->pid, PIDFD_THREAD);
	if (process != -EINVAL) return process;
	char text[512];
	const char *found = read_text(caller, "status", text, sizeof text) ? strstr(text, "\nTgid:") : NULL;
	return found ? open_process(atoi(found + strlen("\nTgid:")), 0) : -ESRCH;
}

static bool is_same_file(const struct caller *caller, int number, int file) {
	struct stat theirs, ours;
	char name[24];
	snprintf(name, sizeof name, "fd/%d", number);
	return fstatat(caller->directory, name, &theirs, 0) == 0 && fstat(file, &ours) == 0 &&
	       theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

int take_file(const struct caller *caller, int number) {
	int process = open_process_of(caller);
	if (process < 0) return process;
	/* If the caller waits still, it is its own. */
	int file = still_waits(caller) ? get_file(process, number) : -ESRCH;
	close(process);
	if (file < 0 || is_same_file(caller, number, file)) return file;
	close(file);
	return -EBADF;
}

int closes_on_exec(const struct caller *caller, int number) {
	char name[24], text[512];
	snprintf(name, sizeof name, "fdinfo/%d", number);
	if (!read_text(caller, name, text, sizeof text)) return -EBADF;
	const char *flags = strstr(text, "flags:");
	return flags ? (strtoul(flags + strlen("flags:"), NULL, 8) & O_CLOEXEC) != 0 : -EBADF;
}

int open_memory(const struct caller *caller) {
	int memory = openat(caller->directory, "mem", O_RDWR | O_CLOEXEC);
	if (memory < 0) return -errno;
	if (still_waits(caller)) return memory;
	close(memory);
	return -ESRCH;
}

/* arm64 ignores the highest byte of an address, which programs may use for themselves. */
static off_t place_of(uint64_t address) {
	return (off_t)(address & ~(UINT64_C(0xff) << 56));
}

size_t read_memory(int memory, uint64_t address, void *value, size_t length) {
	ssize_t count = length > 0 ? pread(memory, value, length, place_of(address)) : 0;
	return count < 0 ? 0 : (size_t)count;
}

bool write_memory(int memory, uint64_t address, const void *value, size_t length) {
	return length == 0 || pwrite(memory, value, length, place_of(address)) == (ssize_t)length;
}
