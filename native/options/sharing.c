#include "sharing.h"

#include "kernel_calls.h"

#include <linux/stat.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	AT_FDCWD = -100,
	AT_EMPTY_PATH = 0x1000,
	O_CLOEXEC = 02000000,
};

struct directory_entry {
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	unsigned char type;
	char name[];
};

/* Which of the program's files are looked at, and for which socket. */
struct search {
	uint64_t inode;
	int number, socket;
	int files, details; /* the directories fd and fdinfo */
};

static bool begins_with(const char *text, const char *prefix) {
	while (*prefix && *text == *prefix) text++, prefix++;
	return !*prefix;
}

static uint64_t parse(const char *text) {
	uint64_t value = 0;
	while (*text >= '0' && *text <= '9') value = value * 10 + (uint64_t)(*text++ - '0');
	return value;
}

static int hexadecimal_digit(char character) {
	if (character >= '0' && character <= '9') return character - '0';
	return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

/*
 * Whether an epoll set has the inode: its file in fdinfo has a line "tfd: 5 events: 19 data: 5 pos:0 ino:a3b sdev:8" for
 * each descriptor (proc_pid_fdinfo(5)). True, too, if that cannot be read.
 */
static bool is_in_epoll_set(const struct search *search, const char *name) {
	static const char label[] = " ino:";
	char text[256];
	int fd = outcome(syscall(SYS_openat, search->details, name, O_CLOEXEC)), count;
	/* Closed meanwhile, as it may be. */
	if (fd < 0) return fd != -ENOENT;
	uint64_t inode = 0;
	size_t matched = 0;
	bool found = false;
	while (!found && (count = outcome(syscall(SYS_read, fd, text, sizeof text))) > 0)
		for (int i = 0; i < count && !found; i++) {
			int digit = hexadecimal_digit(text[i]);
			if (matched == sizeof label - 1 && digit >= 0) {
				inode = inode << 4 | (unsigned)digit;
				continue;
			}
			found = matched == sizeof label - 1 && inode == search->inode;
			inode = 0;
			matched = text[i] == label[matched] && matched < sizeof label - 1 ? matched + 1 : text[i] == ' ';
		}
	close_file(fd);
	return found || count < 0;
}

static const char *look_at(const struct search *search, const char *name) {
	char target[64];
	int number = (int)parse(name), length;
	if (name[0] == '.' || number == search->number || number == search->socket) return NULL;
	length = outcome(syscall(SYS_readlinkat, search->files, name, target, sizeof target - 1));
	if (length < 0) return length == -ENOENT ? NULL : ", /proc does not tell who has it";
	target[length] = '\0';
	if (begins_with(target, "socket:[") && parse(target + sizeof "socket:[" - 1) == search->inode)
		return ", it has another descriptor";
	if (begins_with(target, "anon_inode:[eventpoll]") && is_in_epoll_set(search, name)) return ", it is in an epoll set";
	return NULL;
}

static const char *look_at_all(const struct search *search) {
	union {
		struct directory_entry entry;
		char bytes[1024];
	} room;
	for (;;) {
		int count = outcome(syscall(SYS_getdents64, search->files, &room, sizeof room));
		if (count < 0) return ", /proc does not tell who has it";
		if (count == 0) return NULL;
		for (int at = 0; at < count;) {
			const struct directory_entry *entry = (const void *)(room.bytes + at);
			const char *obstacle = look_at(search, entry->name);
			if (obstacle) return obstacle;
			at += entry->length;
		}
	}
}

static int open_directory(int directory, const char *own, const char *of_other) {
	return outcome(syscall(SYS_openat, directory < 0 ? AT_FDCWD : directory, directory < 0 ? own : of_other, O_CLOEXEC));
}

const char *find_sharing(int directory, int number, int socket) {
	const char *obstacle = ", /proc does not tell who has it";
	struct statx file;
	if (outcome(syscall(SYS_statx, socket, "", AT_EMPTY_PATH, STATX_INO, &file)) < 0) return obstacle;
	struct search search = {.inode = file.stx_ino, .number = number, .socket = directory < 0 ? socket : -1};
	search.files = open_directory(directory, "/proc/thread-self/fd", "fd");
	if (search.files < 0) return obstacle;
	search.details = open_directory(directory, "/proc/thread-self/fdinfo", "fdinfo");
	if (search.details >= 0) {
		obstacle = look_at_all(&search);
		close_file(search.details);
	}
	close_file(search.files);
	return obstacle;
}
