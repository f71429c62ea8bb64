#define _GNU_SOURCE
#include "option_host.h"

#include "../options/socket_calls.h"
#include "listener.h"
#include "reach.h"
#include "visitor.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

uint64_t cookie_of_socket(int socket) {
	uint64_t cookie = 0;
	socklen_t length = sizeof cookie;
	return kernel_getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0 ? 0 : cookie;
}

static int make_socket(void *context, int family) {
	const struct on_behalf *on_behalf = context;
	const struct wanted wanted = {.family = family, .type = SOCK_STREAM, .protocol = IPPROTO_TCP};
	int made = make_socket_for(on_behalf->caller, on_behalf->supervision->network, &wanted);
	/* By those one looks at the caller's files. */
	take_own_ids();
	if (made < 0 || still_waits(on_behalf->caller)) return made;
	close(made);
	return -ESRCH;
}

/*
 * Another thread may have closed the descriptor and got the number for another file, which is not to be replaced. The
 * kernel replaces it in the name of the caller as soon as that runs: only a thread that closes it even then, while
 * this one sets an option on it, could lose another file.
 */
static int put_in_place(void *context, int number, int old, int made) {
	const struct on_behalf *on_behalf = context;
	const struct supervision *supervision = on_behalf->supervision;
	uint64_t cookie = cookie_of_socket(old);
	int close_on_exec = closes_on_exec(on_behalf->caller, number);
	if (close_on_exec < 0) return close_on_exec;
	struct seccomp_notif_addfd addfd = {
		.id = supervision->in_flight->request.id,
		.flags = SECCOMP_ADDFD_FLAG_SETFD,
		.srcfd = (uint32_t)made,
		.newfd = (uint32_t)number,
		.newfd_flags = close_on_exec ? O_CLOEXEC : 0,
	};
	supervision->in_flight->replacement = cookie_of_socket(made);
	int now = take_file(on_behalf->caller, number), error = now;
	if (now < 0) return error;
	if (!cookie || cookie_of_socket(now) != cookie) error = -EBADF;
	else error = listener_ioctl(supervision->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd) < 0 ? -errno : 0;
	close(now);
	return error;
}

static void say(void *context, const struct line *line) {
	(void)context;
	if (write(STDERR_FILENO, line->text, line->length) < 0) return;
}

struct option_host option_host_of(const struct on_behalf *on_behalf) {
	return (struct option_host){
		.policy = on_behalf->supervision->policy,
		.memory = on_behalf->supervision->memory,
		.context = (void *)on_behalf,
		.directory = on_behalf->caller->directory,
		.make_socket = make_socket,
		.put_in_place = put_in_place,
		.say = on_behalf->supervision->debug ? say : NULL,
	};
}
