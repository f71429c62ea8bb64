/*
 * libmptcpwrap.so: loaded into a program by LD_PRELOAD, makes its TCP sockets MPTCP sockets (RFC 8684).
 *
 * It runs in programs that know nothing of it. So it is linked with no library, calls only what glibc and musl both
 * export, allocates nothing, takes no locks once it is loaded, and where MPTCP is not to be had, the call is what it
 * would have been without it.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>

/* Declared here: the headers of one libc would bind us to it (fortified calls, versions of symbols). */
enum {
	AF_INET = 2,
	AF_INET6 = 10,
	SOCK_STREAM = 1,
	SOCK_TYPE = 0xff, /* above it are SOCK_NONBLOCK and SOCK_CLOEXEC */
	IPPROTO_TCP = 6,
	IPPROTO_MPTCP = 262,
	STDERR_FILENO = 2,
	SOL_SOCKET = 1,
	SO_DOMAIN = 39,
};
#define RTLD_NEXT ((void *)-1L)

typedef int socket_call(int family, int type, int protocol);

int *__errno_location(void);
char *getenv(const char *name);
long syscall(long number, ...);
/* Before glibc 2.34 it is in libdl, which the program may not have. */
__attribute__((weak)) void *dlsym(void *handle, const char *name);

/* That of libc, or of another library that wraps it; NULL before set_up. */
static _Atomic(socket_call *) next_socket;
static atomic_bool debug, off;

static int socket_of_kernel(int family, int type, int protocol) {
	return (int)syscall(SYS_socket, family, type, protocol);
}

/*
 * Once, while the program is being loaded: later, dlsym may wait for a lock that a fork(2) left locked or that a signal
 * interrupted, and getenv may meet a setenv of another thread.
 */
__attribute__((constructor)) static void set_up(void) {
	socket_call *next = NULL;
	if (dlsym) *(void **)&next = dlsym(RTLD_NEXT, "socket");
	debug = getenv("MPTCPWRAP_DEBUG") != NULL;
	off = getenv("MPTCPWRAP_OFF") != NULL;
	/* Last: who sees it sees the others. */
	next_socket = next ? next : socket_of_kernel;
}

struct line {
	char text[160];
	size_t length;
};

static void add(struct line *line, const char *text) {
	while (*text && line->length < sizeof line->text) line->text[line->length++] = *text++;
}

static void add_number(struct line *line, unsigned value, unsigned base) {
	char digits[sizeof value * 3 + 1], *digit = digits + sizeof digits;
	*--digit = '\0';
	do *--digit = "0123456789abcdef"[value % base];
	while (value /= base);
	add(line, digit);
}

static void add_decimal(struct line *line, int value) {
	if (value < 0) add(line, "-");
	add_number(line, value < 0 ? -(unsigned)value : (unsigned)value, 10);
}

static void add_hexadecimal(struct line *line, const char *label, int value) {
	add(line, label);
	add_number(line, (unsigned)value, 16);
}

/* A program that has closed it gets the number for a connection of its own, in which we have nothing to say. */
static bool is_stderr_connection(void) {
	int domain = 0;
	unsigned size = sizeof domain;
	return syscall(SYS_getsockopt, STDERR_FILENO, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
	       (domain == AF_INET || domain == AF_INET6);
}

/* The end of each line, which goes out in one write, as other threads write, too. */
static void print_socket(struct line *line, int family, int type, int fd) {
	if (is_stderr_connection()) return;
	add_hexadecimal(line, " for family 0x", family);
	add_hexadecimal(line, " type 0x", type);
	add(line, " fd ");
	add_decimal(line, fd);
	add(line, "\n");
	syscall(SYS_write, STDERR_FILENO, line->text, line->length);
}

/* The line of the C mptcpize, which scripts look for. */
static void report_attempt(int family, int type, int from, int to, int fd) {
	struct line line = {.length = 0};
	add_hexadecimal(&line, "mptcpwrap: changing socket protocol from 0x", from);
	add_hexadecimal(&line, " to 0x", to);
	add(&line, to == IPPROTO_MPTCP ? " (IPPROTO_MPTCP)" : " (IPPROTO_TCP)");
	print_socket(&line, family, type, fd);
}

static void report_refusal(int family, int type, int protocol, int error, int fd) {
	struct line line = {.length = 0};
	add(&line, "mptcpwrap: refused with errno ");
	add_decimal(&line, error);
	add_hexadecimal(&line, ", keeping socket protocol 0x", protocol);
	print_socket(&line, family, type, fd);
}

static int wanted_protocol(int family, int type, int protocol) {
	if ((family != AF_INET && family != AF_INET6) || (type & SOCK_TYPE) != SOCK_STREAM) return protocol;
	if (off) return protocol == IPPROTO_MPTCP ? IPPROTO_TCP : protocol;
	return protocol == 0 || protocol == IPPROTO_TCP ? IPPROTO_MPTCP : protocol;
}

__attribute__((visibility("default"))) int socket(int family, int type, int protocol) {
	int *error = __errno_location(), before = *error;
	if (!next_socket) {
		/* The constructor of another library was called before ours. */
		set_up();
		*error = before;
	}
	socket_call *next = next_socket;
	int wanted = wanted_protocol(family, type, protocol);
	if (wanted == protocol) return next(family, type, protocol);

	int fd = next(family, type, wanted), refusal = *error;
	if (debug) report_attempt(family, type, protocol, wanted, fd);
	*error = before;
	if (fd >= 0) return fd;

	/* Whatever the reason: without us the program would have had this. */
	fd = next(family, type, protocol);
	if (debug && fd >= 0) {
		report_refusal(family, type, protocol, refusal, fd);
		*error = before;
	}
	return fd;
}
