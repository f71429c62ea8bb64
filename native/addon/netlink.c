/* Netlink sockets on the event loop. */
#include "addon.h"

#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>

enum { PAGE = 4096, BATCHES_PER_WAKEUP = 8 };

struct netlink_socket {
	uv_poll_t poll; /* first: the loop hands out its address */
	napi_env env;
	struct addon *addon;
	napi_ref on_batch;
	napi_async_cleanup_hook_handle cleanup;
	int fd; /* -1 once closed */
	uint32_t port;
	unsigned sends; /* under way on another thread, each using fd */
	bool overrun; /* the kernel dropped datagrams, and JavaScript was not told yet */
	bool closing;
	bool polled;    /* the loop has the poll handle */
	bool reachable; /* JavaScript has the handle, whose finalizer will come */
};

/* Lets go of what nobody uses any more; to be called after each change. */
static void settle(struct netlink_socket *s) {
	if (s->sends > 0) return;
	if (s->closing && s->fd >= 0) {
		close(s->fd);
		s->fd = -1;
	}
	if (!s->polled && !s->reachable) free(s);
}

static void on_closed(uv_handle_t *handle) {
	struct netlink_socket *s = (struct netlink_socket *)handle;
	if (s->cleanup) napi_remove_async_cleanup_hook(s->cleanup);
	s->polled = false;
	settle(s);
}

static void begin_close(struct netlink_socket *s) {
	if (s->closing) return;
	s->closing = true;
	if (s->on_batch) napi_delete_reference(s->env, s->on_batch);
	s->on_batch = NULL;
	uv_close((uv_handle_t *)&s->poll, on_closed); /* from here on the loop does not touch the descriptor */
	settle(s);
}

/* The environment ends (a worker is terminated, the process exits) and the socket was not closed. */
static void on_environment_end(napi_async_cleanup_hook_handle handle UNUSED, void *data) {
	begin_close(data);
}

static void on_garbage_collected(napi_env env UNUSED, void *data, void *hint UNUSED) {
	struct netlink_socket *s = data;
	s->reachable = false;
	if (s->closing)
		settle(s);
	else
		begin_close(s);
}

/* Calls JavaScript with a number of datagrams, or with -errno. */
static void deliver(struct netlink_socket *s, int outcome) {
	napi_env env = s->env;
	napi_handle_scope scope;
	napi_value global, callback, argument, exception;
	bool pending = false;
	if (napi_open_handle_scope(env, &scope) != napi_ok) return;
	if (napi_get_global(env, &global) == napi_ok &&
	    napi_get_reference_value(env, s->on_batch, &callback) == napi_ok &&
	    napi_create_int32(env, outcome, &argument) == napi_ok &&
	    napi_make_callback(env, NULL, global, callback, 1, &argument, NULL) == napi_pending_exception &&
	    napi_is_exception_pending(env, &pending) == napi_ok && pending &&
	    napi_get_and_clear_last_exception(env, &exception) == napi_ok)
		napi_fatal_exception(env, exception); /* process.on("uncaughtException") */
	napi_close_handle_scope(env, scope);
}

/* Fills the slots and their table; the number of datagrams, or -errno. */
static int receive(struct netlink_socket *s) {
	struct addon *addon = s->addon;
	for (int i = 0; i < SLOTS; i++) addon->headers[i].msg_hdr.msg_namelen = sizeof addon->senders[i];
	int count;
	do /* MSG_TRUNC: lengths are the datagrams' own, also where the slot was too small */
		count = recvmmsg(s->fd, addon->headers, SLOTS, MSG_DONTWAIT | MSG_TRUNC, NULL);
	while (count < 0 && errno == EINTR);
	if (count < 0) return -errno;
	for (int i = 0; i < count; i++) {
		uint32_t *row = addon->table + i * TABLE_COLUMNS, length = addon->headers[i].msg_len;
		row[0] = length;
		row[1] = addon->senders[i].nl_pid;
		row[2] = addon->senders[i].nl_groups;
		if (length > addon->largest) addon->largest = length;
	}
	return count;
}

static void on_readable(uv_poll_t *handle, int status, int events UNUSED) {
	struct netlink_socket *s = (struct netlink_socket *)handle;
	/*
	 * An overrun sets EPOLLERR, which libuv reports as UV_EBADF after it has stopped the handle (uv__poll_io in
	 * src/unix/poll.c). Nothing is wrong with the descriptor: go on, and let recvmmsg tell the real error, which
	 * also clears it.
	 */
	if (status < 0) {
		int error = uv_poll_start(&s->poll, UV_READABLE, on_readable);
		if (error) deliver(s, error);
	}
	struct addon *addon = s->addon;
	/*
	 * After an overrun the kernel drops all that comes, without telling of it again, until the queue was empty once
	 * (NETLINK_S_CONGESTED, net/netlink/af_netlink.c). So it is emptied first, and reported then: what the listener
	 * reads in answer is the state after everything that was dropped.
	 */
	for (int batch = 0; (batch < BATCHES_PER_WAKEUP || s->overrun) && !s->closing; batch++) {
		int count = receive(s);
		/* A short batch emptied the queue, or stopped at an error, which makes the socket readable again. */
		bool emptied = count == -EAGAIN || (count >= 0 && count < SLOTS);
		if (count == -ENOBUFS)
			s->overrun = true;
		else if (count != -EAGAIN)
			deliver(s, count);
		if (!emptied) continue;
		if (s->overrun && !s->closing) {
			s->overrun = false;
			deliver(s, -ENOBUFS);
		}
		break;
	}
	/* After a large dump, give the memory back; what small events touch, a page each, stays. */
	if (addon->largest > PAGE) madvise(addon->slab, (size_t)SLOTS * SLOT_SIZE, MADV_DONTNEED);
	addon->largest = 0;
}

/* A bound socket, or -errno. */
static int open_bound(int protocol, uint32_t *port) {
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	socklen_t length = sizeof address;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (fd < 0) return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	*port = address.nl_pid;
	return fd;
}

/* netlinkOpen(protocol, onBatch: (countOrError) => void): handle | -errno */
static napi_value netlink_open(napi_env env, napi_callback_info info) {
	napi_value arguments[2], handle;
	int32_t protocol;
	uv_loop_t *loop;
	struct addon *addon;
	TRY(env, get_arguments(env, info, 2, arguments));
	TRY(env, napi_get_value_int32(env, arguments[0], &protocol));
	TRY(env, napi_get_uv_event_loop(env, &loop));
	TRY(env, napi_get_instance_data(env, (void **)&addon));

	struct netlink_socket *s = calloc(1, sizeof *s);
	if (!s) return number(env, -ENOMEM);
	s->env = env;
	s->addon = addon;
	s->fd = open_bound(protocol, &s->port);
	int error = s->fd < 0 ? s->fd : uv_poll_init(loop, &s->poll, s->fd);
	if (error) {
		if (s->fd >= 0) close(s->fd);
		free(s);
		return number(env, error);
	}
	/* From here on the loop knows the socket, and only begin_close ends it. */
	s->polled = true;
	if (napi_create_reference(env, arguments[1], 1, &s->on_batch) != napi_ok ||
	    napi_add_async_cleanup_hook(env, on_environment_end, s, &s->cleanup) != napi_ok ||
	    napi_create_object(env, &handle) != napi_ok ||
	    napi_wrap(env, handle, s, on_garbage_collected, NULL, NULL) != napi_ok) {
		throw_last_error(env);
		begin_close(s);
		return NULL;
	}
	s->reachable = true;
	error = uv_poll_start(&s->poll, UV_READABLE, on_readable);
	if (!error) return handle;
	begin_close(s);
	return number(env, error);
}

/* The arguments of a function whose first one is a handle. */
static struct netlink_socket *get_socket(napi_env env, napi_callback_info info, size_t count, napi_value *arguments) {
	void *socket = NULL;
	if (get_arguments(env, info, count, arguments) != napi_ok ||
	    napi_unwrap(env, arguments[0], &socket) != napi_ok) {
		throw_last_error(env);
		return NULL;
	}
	return socket;
}

/* netlinkPort(handle): the port (nl_pid) that the kernel gave */
static napi_value netlink_port(napi_env env, napi_callback_info info) {
	napi_value arguments[1];
	struct netlink_socket *s = get_socket(env, info, 1, arguments);
	return s ? number(env, s->port) : NULL;
}

/* netlinkSetOption(handle, level, name, value): 0 | -errno */
static napi_value netlink_set_option(napi_env env, napi_callback_info info) {
	napi_value arguments[4];
	int32_t values[3];
	struct netlink_socket *s = get_socket(env, info, 4, arguments);
	if (!s) return NULL;
	for (int i = 0; i < 3; i++) TRY(env, napi_get_value_int32(env, arguments[i + 1], &values[i]));
	if (s->closing) return number(env, -EBADF);
	return result_of(env, setsockopt(s->fd, values[0], values[1], &values[2], sizeof values[2]));
}

/* netlinkAttachFilter(handle, bytes: struct sock_filter[]): 0 | -errno */
static napi_value netlink_attach_filter(napi_env env, napi_callback_info info) {
	napi_value arguments[2];
	void *bytes;
	size_t length;
	struct netlink_socket *s = get_socket(env, info, 2, arguments);
	if (!s) return NULL;
	TRY(env, get_bytes(env, arguments[1], &bytes, &length));
	if (s->closing) return number(env, -EBADF);
	size_t count = length / sizeof(struct sock_filter);
	if (length % sizeof(struct sock_filter) || count > BPF_MAXINSNS) return number(env, -EINVAL);
	struct sock_fprog program = {.len = (unsigned short)count, .filter = bytes};
	return result_of(env, setsockopt(s->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
}

static int send_to_kernel(int fd, const void *bytes, size_t length) {
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t sent = sendto(fd, bytes, length, 0, (struct sockaddr *)&kernel, sizeof kernel);
	return sent < 0 ? -errno : 0;
}

/* netlinkSendNow(handle, bytes): 0 | -errno */
static napi_value netlink_send_now(napi_env env, napi_callback_info info) {
	napi_value arguments[2];
	void *bytes;
	size_t length;
	struct netlink_socket *s = get_socket(env, info, 2, arguments);
	if (!s) return NULL;
	TRY(env, get_bytes(env, arguments[1], &bytes, &length));
	return number(env, s->closing ? -EBADF : send_to_kernel(s->fd, bytes, length));
}

struct send {
	struct job job;
	struct netlink_socket *socket;
	size_t length;
	uint8_t bytes[];
};

static void run_send(struct job *job) {
	struct send *send = (struct send *)job;
	job->result = send_to_kernel(send->socket->fd, send->bytes, send->length);
}

static void send_done(struct job *job, bool delivered UNUSED) {
	struct netlink_socket *s = ((struct send *)job)->socket;
	s->sends--;
	settle(s);
}

/* netlinkSend(handle, bytes, onResult: (0 | -errno) => void): 0 | -errno; the bytes are copied */
static napi_value netlink_send(napi_env env, napi_callback_info info) {
	napi_value arguments[3];
	void *bytes;
	size_t length;
	struct netlink_socket *s = get_socket(env, info, 3, arguments);
	if (!s) return NULL;
	TRY(env, get_bytes(env, arguments[1], &bytes, &length));
	if (s->closing) return number(env, -EBADF);
	struct send *send = malloc(sizeof *send + length);
	if (!send) return number(env, -ENOMEM);
	send->job = (struct job){.run = run_send, .done = send_done};
	send->socket = s;
	send->length = length;
	if (length) memcpy(send->bytes, bytes, length);
	s->sends++;
	return start_job_alone(env, &send->job, arguments[2]);
}

/*
 * netlinkReceive(handle): how many of the datagrams that wait are in the slots now, or -errno. Of an overrun the callback
 * is told as ever.
 */
static napi_value netlink_receive(napi_env env, napi_callback_info info) {
	napi_value arguments[1];
	struct netlink_socket *s = get_socket(env, info, 1, arguments);
	if (!s) return NULL;
	int count = s->closing ? 0 : receive(s);
	if (count == -EAGAIN) count = 0;
	if (count == -ENOBUFS) {
		s->overrun = true;
		on_readable(&s->poll, 0, UV_READABLE);
		count = 0;
	}
	return number(env, count);
}

/* netlinkHasUnread(handle): 1 if a datagram, or an error of receiving, waits to be received, else 0 */
static napi_value netlink_has_unread(napi_env env, napi_callback_info info) {
	napi_value arguments[1];
	struct netlink_socket *s = get_socket(env, info, 1, arguments);
	if (!s) return NULL;
	struct pollfd waiting = {.fd = s->closing ? -1 : s->fd, .events = POLLIN}; /* poll(2) passes over -1 */
	return number(env, poll(&waiting, 1, 0) == 1);
}

/* netlinkKeepAlive(handle, keep: boolean): whether the open socket keeps the event loop running */
static napi_value netlink_keep_alive(napi_env env, napi_callback_info info) {
	napi_value arguments[2];
	bool keep;
	struct netlink_socket *s = get_socket(env, info, 2, arguments);
	if (!s) return NULL;
	TRY(env, napi_get_value_bool(env, arguments[1], &keep));
	if (s->closing) return NULL;
	if (keep)
		uv_ref((uv_handle_t *)&s->poll);
	else
		uv_unref((uv_handle_t *)&s->poll);
	return NULL;
}

/* netlinkClose(handle) */
static napi_value netlink_close(napi_env env, napi_callback_info info) {
	napi_value arguments[1];
	struct netlink_socket *s = get_socket(env, info, 1, arguments);
	if (s) begin_close(s);
	return NULL;
}

napi_status define_netlink(napi_env env, napi_value exports) {
	static const struct {
		const char *name;
		napi_callback callback;
	} functions[] = {
		{"netlinkOpen", netlink_open},           {"netlinkPort", netlink_port},
		{"netlinkSetOption", netlink_set_option}, {"netlinkAttachFilter", netlink_attach_filter},
		{"netlinkSend", netlink_send},           {"netlinkSendNow", netlink_send_now},
		{"netlinkReceive", netlink_receive},     {"netlinkHasUnread", netlink_has_unread}, {"netlinkKeepAlive", netlink_keep_alive},
		{"netlinkClose", netlink_close},
	};
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
		napi_status status = define_function(env, exports, functions[i].name, functions[i].callback);
		if (status != napi_ok) return status;
	}
	return napi_ok;
}
