#include "sharing.h"

#include "kernel_calls.h"
#include "line.h"

#include <linux/stat.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	AT_FDCWD = -100,
	AT_EMPTY_PATH = 0x1000,
	O_CLOEXEC = 02000000,
};

#define UNKNOWN ", /proc does not tell who has it"
#define DUPLICATE ", it has another descriptor"

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
	if (length < 0) return length == -ENOENT ? NULL : UNKNOWN;
	target[length] = '\0';
	if (begins_with(target, "socket:[") && parse(target + sizeof "socket:[" - 1) == search->inode)
		return DUPLICATE;
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
		if (count < 0) return UNKNOWN;
		if (count == 0) return NULL;
		for (int at = 0; at < count;) {
			const struct directory_entry *entry = (const void *)(room.bytes + at);
			const char *obstacle = look_at(search, entry->name);
			if (obstacle) return obstacle;
			at += entry->length;
		}
	}
}

/*
 * How many numbers the calling thread's files can have: FDSize of proc_pid_status(5), 0 if that cannot be read. The line
 * is among the first.
 */
static int count_numbers(void) {
	static const char label[] = "\nFDSize:\t";
	char text[1024];
	int fd = outcome(syscall(SYS_openat, AT_FDCWD, "/proc/thread-self/status", O_CLOEXEC));
	if (fd < 0) return 0;
	int length = outcome(syscall(SYS_read, fd, text, sizeof text - 1));
	close_file(fd);
	if (length < 0) return 0;
	text[length] = '\0';
	for (const char *at = text; *at; at++)
		if (begins_with(at, label)) return (int)parse(at + sizeof label - 1);
	return 0;
}

enum { BLOCK = 64 };

/*
 * Which of the numbers from this one on are files, a bit each: a table that was once large stays so, and a call for each of
 * its numbers takes a hundred times longer. All, where the program's limit of files forbids to ask.
 */
static uint64_t find_open(int first) {
	struct poll_entry entries[BLOCK];
	uint64_t open = 0;
	for (int i = 0; i < BLOCK; i++) entries[i].fd = first + i, entries[i].events = 0;
	if (poll_now(entries, BLOCK) < 0) return ~open;
	for (int i = 0; i < BLOCK; i++)
		if (entries[i].revents != POLLNVAL) open |= UINT64_C(1) << i;
	return open;
}

/* As look_at_all, for the calling thread: /proc takes tens of times longer for each socket than the socket itself. */
static const char *look_at_own(const struct search *search) {
	uint64_t cookie = cookie_of(search->socket, SO_COOKIE);
	int count = count_numbers();
	uint64_t open = 0;
	if (count == 0 || cookie == 0) return UNKNOWN;
	for (int number = 0; number < count; number++) {
		if (number % BLOCK == 0) open = find_open(number);
		if (!(open >> number % BLOCK & 1)) continue;
		uint64_t found = 0;
		unsigned length = sizeof found;
		int error = get_option(number, LEVEL_SOCKET, SO_COOKIE, &found, &length);
		if (error == -EBADF || number == search->number || number == search->socket) continue;
		if (error == 0 && found == cookie) return DUPLICATE;
		if (error == 0) continue;
		struct line name;
		begin_line(&name, "");
		add_decimal(&name, number);
		name.text[name.length] = '\0';
		const char *obstacle = look_at(search, name.text);
		if (obstacle) return obstacle;
	}
	return NULL;
}

static int open_directory(int directory, const char *own, const char *of_other) {
	return outcome(syscall(SYS_openat, directory < 0 ? AT_FDCWD : directory, directory < 0 ? own : of_other, O_CLOEXEC));
}

const char *find_sharing(int directory, int number, int socket) {
	const char *obstacle = UNKNOWN;
	struct statx file;
	if (outcome(syscall(SYS_statx, socket, "", AT_EMPTY_PATH, STATX_INO, &file)) < 0) return obstacle;
	struct search search = {.inode = file.stx_ino, .number = number, .socket = directory < 0 ? socket : -1};
	search.files = open_directory(directory, "/proc/thread-self/fd", "fd");
	if (search.files < 0) return obstacle;
	search.details = open_directory(directory, "/proc/thread-self/fdinfo", "fdinfo");
	if (search.details >= 0) {
		obstacle = directory < 0 ? look_at_own(&search) : look_at_all(&search);
		close_file(search.details);
	}
	close_file(search.files);
	return obstacle;
}
