#include "become_tcp.h"

#include "carry.h"
#include "kernel_calls.h"
#include "sharing.h"

static bool is_listening(int socket) {
	return socket_fact(socket, SO_ACCEPTCONN, 1);
}

/* Of a socket that never was, the kernel reports that it is hung up, and nothing of an end or a fault. */
bool has_connection(int socket) {
	struct poll_entry entry = {.fd = socket, .events = POLLIN | POLLRDHUP};
	if (is_listening(socket)) return false;
	return poll_now(&entry, 1) != 1 || entry.revents != POLLHUP;
}

static const char *find_state(int socket) {
	if (is_listening(socket)) return ", it is listening";
	return has_connection(socket) ? ", it is or was connected, or connects" : NULL;
}

/* The option last, as the program has set everything else before. */
static const char *fill(const struct option_host *host, const struct refused_call *call, int made, const void *value,
                        unsigned length) {
	/* Its namespace may be another than that of the calling thread. */
	if (cookie_of(made, SO_NETNS_COOKIE) != cookie_of(call->socket, SO_NETNS_COOKIE))
		return ", it is of another network namespace";
	const char *obstacle = carry_hints(host->memory, call->socket, made);
	if (!obstacle) obstacle = carry_options(call->socket, made);
	if (!obstacle) obstacle = carry_file_flags(call->socket, made);
	if (!obstacle) obstacle = carry_address(call->socket, made);
	if (obstacle) return obstacle;
	if (set_option(made, call->row->level, call->row->number, value, length) == 0) return NULL;
	return ", and so does TCP with what is set already";
}

const char *become_tcp(const struct option_host *host, const struct refused_call *call, const void *value,
                       unsigned length) {
	const char *obstacle = find_state(call->socket);
	if (!obstacle) obstacle = find_sharing(host->directory, call->number, call->socket);
	if (obstacle) return obstacle;
	int made = host->make_socket(host->context, socket_fact(call->socket, SO_DOMAIN, AF_INET));
	if (made < 0) return ", and there is no TCP socket to replace it";
	int reuse = socket_fact(call->socket, SO_REUSEADDR, 0);
	obstacle = fill(host, call, made, value, length);
	if (!obstacle && host->put_in_place(host->context, call->number, call->socket, made) < 0)
		obstacle = ", it could not be replaced";
	/* Of the two that may have shared a port, the one that is left. */
	set_option(obstacle ? call->socket : made, LEVEL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
	close_file(made);
	return obstacle;
}
