#include "options.h"

#include "../options/kernel_calls.h"
#include "../options/refused.h"
#include "setup.h"
#include "standard_error.h"

#include <stddef.h>

enum {
	F_GETFD = 1,
	F_DUPFD_CLOEXEC = 1030,
	FD_CLOEXEC = 1,
	O_CLOEXEC = 02000000,
	FIRST_FREE = 3, /* above the standard files, which a program may close and open again */
};

static struct option_memory memory;

static int make_socket(void *context, int family) {
	(void)context;
	return outcome(syscall(SYS_socket, family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
}

/* Another thread may have closed the descriptor and got the number for another file, which is not to be replaced. */
static int put_in_place(void *context, int number, int old, int made) {
	(void)context;
	int flags = outcome(syscall(SYS_fcntl, number, F_GETFD));
	if (flags < 0) return flags;
	uint64_t cookie = cookie_of(old, SO_COOKIE);
	if (!cookie || cookie_of(number, SO_COOKIE) != cookie) return -EBADF;
	return outcome(syscall(SYS_dup3, made, number, flags & FD_CLOEXEC ? O_CLOEXEC : 0));
}

static void say(void *context, const struct line *line) {
	(void)context;
	print_line(line);
}

static struct option_host this_program(void) {
	return (struct option_host){
		.policy = setup.policy,
		.memory = &memory,
		.directory = -1,
		.make_socket = make_socket,
		.put_in_place = put_in_place,
		.say = setup.debug ? say : NULL,
	};
}

void leave_options_to_kernel(int socket) {
	struct option_host host = this_program();
	leave_to_kernel(&host, socket);
}

/*
 * Whether the answer to a call that failed may be ours; errno stays. The socket gets a descriptor that other threads do
 * not know, so that it remains the same one until the answer is there, if there is one left.
 */
static bool take(struct refused_call *call, int fd, int level, int name) {
	int *error = __errno_location(), refusal = *error;
	*call = (struct refused_call){.number = fd, .socket = -1, .error = refusal, .row = concerned_row(fd, level, name)};
	if (call->row) call->socket = outcome(syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, FIRST_FREE));
	if (call->socket < 0) call->socket = fd;
	*error = refusal;
	return call->row != NULL;
}

static void give_back(const struct refused_call *call) {
	if (call->socket != call->number) close_file(call->socket);
}

/* The result for the program, by the answer. */
static int conclude(const struct refused_call *call, int answer, int before) {
	give_back(call);
	*__errno_location() = answer ? answer : before;
	return answer ? -1 : 0;
}

__attribute__((visibility("default"))) int setsockopt(int fd, int level, int name, const void *value, unsigned length) {
	if (!setup.socket) set_up();
	int before = *__errno_location(), result = setup.set_option(fd, level, name, value, length);
	struct refused_call call;
	if (result == 0 || setup.policy == OPTIONS_REFUSE || !may_be_refusal(*__errno_location())) return result;
	if (!take(&call, fd, level, name)) return result;
	if (!is_refusal_to_set(call.row, call.socket, call.error)) return conclude(&call, call.error, before);
	struct option_host host = this_program();
	return conclude(&call, answer_set(&host, &call, value, length), before);
}

__attribute__((visibility("default"))) int getsockopt(int fd, int level, int name, void *value, unsigned *length) {
	if (!setup.socket) set_up();
	int before = *__errno_location(), result = setup.get_option(fd, level, name, value, length);
	struct refused_call call;
	if (result == 0 || setup.policy == OPTIONS_REFUSE || !is_refusal(*__errno_location())) return result;
	if (!take(&call, fd, level, name)) return result;
	struct option_host host = this_program();
	return conclude(&call, answer_get(&host, &call, value, length), before);
}
