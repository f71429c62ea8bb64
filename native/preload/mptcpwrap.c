/*
 * libmptcpwrap.so: loaded into a program by LD_PRELOAD, makes its TCP sockets MPTCP sockets (RFC 8684).
 *
 * It runs in programs that know nothing of it. So it is linked with no library, calls only what glibc and musl both
 * export, allocates nothing, takes no locks once it is loaded, and where MPTCP is not to be had, the call is what it
 * would have been without it.
 */
#include "../options/kernel_calls.h"
#include "options.h"
#include "setup.h"
#include "standard_error.h"

enum { SOCK_TYPE = 0xff }; /* above it are SOCK_NONBLOCK and SOCK_CLOEXEC */

/* The end of each line. */
static void print_socket(struct line *line, int family, int type, int fd) {
	add_hexadecimal(line, " for family 0x", family);
	add_hexadecimal(line, " type 0x", type);
	add_text(line, " fd ");
	add_decimal(line, fd);
	add_text(line, "\n");
	print_line(line);
}

/* The line of the C mptcpize, which scripts look for. */
static void report_attempt(int family, int type, int from, int to, int fd) {
	struct line line;
	begin_line(&line, "mptcpwrap: changing socket protocol from 0x");
	add_hexadecimal(&line, "", from);
	add_hexadecimal(&line, " to 0x", to);
	add_text(&line, to == IPPROTO_MPTCP ? " (IPPROTO_MPTCP)" : " (IPPROTO_TCP)");
	print_socket(&line, family, type, fd);
}

static void report_refusal(int family, int type, int protocol, int error, int fd) {
	struct line line;
	begin_line(&line, "mptcpwrap: refused with errno ");
	add_decimal(&line, error);
	add_hexadecimal(&line, ", keeping socket protocol 0x", protocol);
	print_socket(&line, family, type, fd);
}

static int wanted_protocol(int family, int type, int protocol) {
	if ((family != AF_INET && family != AF_INET6) || (type & SOCK_TYPE) != SOCK_STREAM) return protocol;
	if (setup.off) return protocol == IPPROTO_MPTCP ? IPPROTO_TCP : protocol;
	return protocol == 0 || protocol == IPPROTO_TCP ? IPPROTO_MPTCP : protocol;
}

/* Of a program that asks for MPTCP by itself, and so knows what MPTCP refuses. */
static int make_mptcp(socket_call *next, int family, int type) {
	int *error = __errno_location(), before = *error, fd = next(family, type, IPPROTO_MPTCP);
	if (fd < 0) return fd;
	leave_options_to_kernel(fd);
	*error = before;
	return fd;
}

__attribute__((visibility("default"))) int socket(int family, int type, int protocol) {
	if (!setup.socket) set_up();
	int *error = __errno_location(), before = *error;
	socket_call *next = setup.socket;
	int wanted = wanted_protocol(family, type, protocol);
	if (wanted == protocol)
		return protocol == IPPROTO_MPTCP ? make_mptcp(next, family, type) : next(family, type, protocol);

	int fd = next(family, type, wanted), refusal = *error;
	if (setup.debug) report_attempt(family, type, protocol, wanted, fd);
	*error = before;
	if (fd >= 0) return fd;

	/* Whatever the reason: without us the program would have had this. */
	fd = next(family, type, protocol);
	if (setup.debug && fd >= 0) {
		report_refusal(family, type, protocol, refusal, fd);
		*error = before;
	}
	return fd;
}
