/* System calls that Node has no API for: datagrams to UNIX sockets, file locks, signals, network namespaces, MPTCP sockets, BPF. */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif

/* sendDatagram(path, bytes): 0 | -errno; "@name" is an abstract address (unix(7)) */
static napi_value send_datagram(napi_env env, napi_callback_info info) {
	napi_value arguments[2];
	struct addon *addon;
	void *bytes;
	size_t length, path_length;
	TRY(env, get_arguments(env, info, 2, arguments));
	TRY(env, napi_get_instance_data(env, (void **)&addon));
	TRY(env, get_bytes(env, arguments[1], &bytes, &length));
	char *path = get_string(env, arguments[0], &path_length);
	if (!path) return NULL;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	bool fits = path_length < sizeof address.sun_path;
	if (fits) memcpy(address.sun_path, path, path_length);
	free(path);
	if (!fits) return number(env, -ENAMETOOLONG);
	if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
	if (addon->datagram_fd < 0) addon->datagram_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (addon->datagram_fd < 0) return number(env, -errno);
	socklen_t size = offsetof(struct sockaddr_un, sun_path) + path_length;
	ssize_t sent = sendto(addon->datagram_fd, bytes, length, MSG_NOSIGNAL, (struct sockaddr *)&address, size);
	return number(env, sent < 0 ? -errno : 0);
}

static int append_text(int fd, const char *text, size_t length) {
	struct stat status;
	if (fstat(fd, &status) < 0) return -errno;
	if (status.st_nlink != 1) return 0;
	ssize_t written = write(fd, text, length);
	return written < 0 ? -errno : (size_t)written == length;
}

/* appendText(fd, text): 1, or 0 if not all of it was written or the file has not one name | -errno */
static napi_value append_text_(napi_env env, napi_callback_info info) {
	napi_value arguments[2];
	char line[1024];
	int32_t fd;
	size_t length;
	TRY(env, get_arguments(env, info, 2, arguments));
	TRY(env, napi_get_value_int32(env, arguments[0], &fd));
	TRY(env, napi_get_value_string_utf8(env, arguments[1], line, sizeof line, &length));
	/* A shorter copy than there is room for is whole: a character of UTF-8 has 4 bytes at most. */
	if (length + 4 < sizeof line) return number(env, append_text(fd, line, length));
	char *text = get_string(env, arguments[1], &length);
	if (!text) return NULL;
	int result = append_text(fd, text, length);
	free(text);
	return number(env, result);
}

/* lockFile(fd): 0 | -errno, -EWOULDBLOCK when another holds the lock */
static napi_value lock_file(napi_env env, napi_callback_info info) {
	napi_value arguments[1];
	int32_t fd;
	TRY(env, get_arguments(env, info, 1, arguments));
	TRY(env, napi_get_value_int32(env, arguments[0], &fd));
	return result_of(env, flock(fd, LOCK_EX | LOCK_NB));
}

/* pidfdOpen(pid): fd | -errno; pidfd_open(2) of Linux 5.3 */
static napi_value pidfd_open_(napi_env env, napi_callback_info info) {
	napi_value arguments[1];
	int32_t pid;
	TRY(env, get_arguments(env, info, 1, arguments));
	TRY(env, napi_get_value_int32(env, arguments[0], &pid));
	return result_of(env, syscall(SYS_pidfd_open, pid, 0));
}

/* pidfdSendSignal(pidfd, signal): 0 | -errno */
static napi_value pidfd_send_signal_(napi_env env, napi_callback_info info) {
	napi_value arguments[2];
	int32_t fd, signal_number;
	TRY(env, get_arguments(env, info, 2, arguments));
	TRY(env, napi_get_value_int32(env, arguments[0], &fd));
	TRY(env, napi_get_value_int32(env, arguments[1], &signal_number));
	return result_of(env, syscall(SYS_pidfd_send_signal, fd, signal_number, NULL, 0));
}

/* networkNamespaceCookie(): bigint | -errno */
static napi_value network_namespace_cookie(napi_env env, napi_callback_info info UNUSED) {
	uint64_t cookie = 0;
	socklen_t length = sizeof cookie;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return number(env, -errno);
	int error = getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) < 0 ? errno : 0;
	close(fd);
	if (error) return number(env, -error);
	napi_value result;
	TRY(env, napi_create_bigint_uint64(env, cookie, &result));
	return result;
}

/* enterNetworkNamespace(fd): 0 | -errno; of the calling thread */
static napi_value enter_network_namespace(napi_env env, napi_callback_info info) {
	napi_value arguments[1];
	int32_t fd;
	TRY(env, get_arguments(env, info, 1, arguments));
	TRY(env, napi_get_value_int32(env, arguments[0], &fd));
	return result_of(env, setns(fd, CLONE_NEWNET));
}

static void free_strings(char **strings) {
	for (char **string = strings; *string; string++) free(*string);
	free(strings);
}

/* What need not be UTF-8 comes as bytes: a string of C, to be freed; NULL with an exception. */
static char *get_name(napi_env env, napi_value value) {
	void *bytes;
	size_t length;
	if (get_bytes(env, value, &bytes, &length) != napi_ok) {
		throw_last_error(env);
		return NULL;
	}
	char *name = malloc(length + 1);
	if (!name) {
		napi_throw_error(env, "ENOMEM", "out of memory");
		return NULL;
	}
	if (length > 0) memcpy(name, bytes, length);
	name[length] = '\0';
	return name;
}

static char **get_names(napi_env env, napi_value array) {
	uint32_t count;
	if (napi_get_array_length(env, array, &count) != napi_ok) {
		throw_last_error(env);
		return NULL;
	}
	char **strings = calloc((size_t)count + 1, sizeof *strings);
	if (!strings) {
		napi_throw_error(env, "ENOMEM", "out of memory");
		return NULL;
	}
	for (uint32_t i = 0; i < count; i++) {
		napi_value element;
		if (napi_get_element(env, array, i, &element) != napi_ok)
			throw_last_error(env);
		else
			strings[i] = get_name(env, element);
		if (strings[i]) continue;
		free_strings(strings);
		return NULL;
	}
	return strings;
}

/* execute(file, argv): -errno, or never returns */
static napi_value execute(napi_env env, napi_callback_info info) {
	napi_value arguments[2];
	TRY(env, get_arguments(env, info, 2, arguments));
	char *file = get_string(env, arguments[0], NULL);
	if (!file) return NULL;
	char **argv = get_names(env, arguments[1]);
	if (!argv) {
		free(file);
		return NULL;
	}
	/* Node marks its own stdio, and ignores these signals; both would pass into the new program. */
	for (int fd = 0; fd <= 2; fd++) {
		int flags = fcntl(fd, F_GETFD);
		if (flags >= 0) fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC);
	}
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	execv(file, argv);
	int error = errno;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	free(file);
	free_strings(argv);
	return number(env, -error);
}

/* exitNow(status): never returns; unlike exit(3), it waits for no thread */
static napi_value exit_now(napi_env env, napi_callback_info info) {
	napi_value arguments[1];
	int32_t status;
	TRY(env, get_arguments(env, info, 1, arguments));
	TRY(env, napi_get_value_int32(env, arguments[0], &status));
	_exit(status);
}

/* The address of "192.0.2.1", "2001:db8::1" or "fe80::1%eth0" and a port: 0 | -errno */
static int parse_address(const char *text, uint32_t port, struct sockaddr_storage *address, socklen_t *length) {
	struct addrinfo *found, hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
	if (getaddrinfo(text, NULL, &hints, &found) != 0) return -EINVAL;
	memcpy(address, found->ai_addr, found->ai_addrlen);
	*length = found->ai_addrlen;
	freeaddrinfo(found);
	if (address->ss_family == AF_INET)
		((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
	else
		((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
	return 0;
}

static napi_status get_address(napi_env env, napi_value text, uint32_t port, struct sockaddr_storage *address,
			       socklen_t *length, int *error) {
	char *string = get_string(env, text, NULL);
	if (!string) return napi_pending_exception;
	*error = parse_address(string, port, address, length);
	free(string);
	return napi_ok;
}

/* A listening socket, or -errno. */
static int listen_on(const struct sockaddr_storage *address, socklen_t length, int protocol, int backlog) {
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol), one = 1, zero = 0;
	if (fd < 0) return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
	    (address->ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero) < 0) ||
	    bind(fd, (const struct sockaddr *)address, length) < 0 || listen(fd, backlog) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

/* streamListen(protocol, address, port, backlog): fd | -errno */
static napi_value stream_listen(napi_env env, napi_callback_info info) {
	napi_value arguments[4];
	struct sockaddr_storage address = {0};
	socklen_t length = 0;
	int32_t protocol, backlog;
	uint32_t port;
	int error;
	TRY(env, get_arguments(env, info, 4, arguments));
	TRY(env, napi_get_value_int32(env, arguments[0], &protocol));
	TRY(env, napi_get_value_uint32(env, arguments[2], &port));
	TRY(env, napi_get_value_int32(env, arguments[3], &backlog));
	TRY(env, get_address(env, arguments[1], port, &address, &length, &error));
	return number(env, error ? error : listen_on(&address, length, protocol, backlog));
}

/* localPort(fd): the port that a socket is bound to | -errno */
static napi_value local_port(napi_env env, napi_callback_info info) {
	napi_value arguments[1];
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof address;
	int32_t fd;
	TRY(env, get_arguments(env, info, 1, arguments));
	TRY(env, napi_get_value_int32(env, arguments[0], &fd));
	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) return number(env, -errno);
	return number(env, ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
							      : ((struct sockaddr_in6 *)&address)->sin6_port));
}

struct connect {
	struct job job;
	int fd;
	int timeout; /* milliseconds */
	socklen_t length;
	struct sockaddr_storage address;
};

/* Waits at most the timeout for the handshake: 0 | -errno */
static int connect_within(const struct connect *c) {
	if (connect(c->fd, (const struct sockaddr *)&c->address, c->length) == 0) return 0;
	if (errno != EINPROGRESS) return -errno;
	struct pollfd waiting = {.fd = c->fd, .events = POLLOUT};
	int ready = poll(&waiting, 1, c->timeout), error = 0;
	socklen_t length = sizeof error;
	if (ready == 0) return -ETIMEDOUT;
	if (ready < 0 || getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return -errno;
	return -error;
}

static void run_connect(struct job *job) {
	struct connect *c = (struct connect *)job;
	int error = connect_within(c);
	job->result = error ? error : c->fd;
}

static void connect_done(struct job *job, bool delivered) {
	if (!delivered || job->result < 0) close(((struct connect *)job)->fd);
}

/* A socket that is bound to a local address and a device where these are not empty, or -errno. */
static int open_stream(int family, int protocol, const char *local, const char *device) {
	struct sockaddr_storage address = {0};
	socklen_t length = 0;
	int error = *local ? parse_address(local, 0, &address, &length) : 0;
	if (error) return error;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (fd < 0) return -errno;
	if ((*device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, strlen(device) + 1) < 0) ||
	    (*local && bind(fd, (struct sockaddr *)&address, length) < 0)) {
		error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

/* streamConnect(protocol, address, port, localAddress, device, timeout ms, onResult: (fd | -errno) => void): 0 | -errno */
static napi_value stream_connect(napi_env env, napi_callback_info info) {
	napi_value arguments[7];
	int32_t protocol, timeout;
	uint32_t port;
	int error;
	struct connect *c = calloc(1, sizeof *c);
	if (!c) return number(env, -ENOMEM);
	c->job = (struct job){.run = run_connect, .done = connect_done};
	if (get_arguments(env, info, 7, arguments) != napi_ok ||
	    napi_get_value_int32(env, arguments[0], &protocol) != napi_ok ||
	    napi_get_value_uint32(env, arguments[2], &port) != napi_ok ||
	    napi_get_value_int32(env, arguments[5], &timeout) != napi_ok ||
	    get_address(env, arguments[1], port, &c->address, &c->length, &error) != napi_ok) {
		free(c);
		return throw_last_error(env);
	}
	c->timeout = timeout;
	char *local = get_string(env, arguments[3], NULL), *device = local ? get_name(env, arguments[4]) : NULL;
	if (device) c->fd = error ? error : open_stream(c->address.ss_family, protocol, local, device);
	bool arguments_ok = device != NULL;
	free(local);
	free(device);
	if (arguments_ok && c->fd >= 0) return start_job(env, &c->job, arguments[6]);
	error = c->fd;
	free(c);
	return arguments_ok ? number(env, error) : NULL;
}

enum { MAX_BPF_ATTRIBUTES = 256 }; /* more than union bpf_attr has in any kernel yet */

/* Writes the addresses of buffers into the attributes; false with an exception where an argument does not fit. */
static bool put_pointers(napi_env env, napi_value offsets, napi_value buffers, uint8_t *attributes, size_t length) {
	uint32_t count;
	if (napi_get_array_length(env, offsets, &count) != napi_ok) {
		throw_last_error(env);
		return false;
	}
	for (uint32_t i = 0; i < count; i++) {
		napi_value offset_value, buffer_value;
		uint32_t offset;
		void *bytes;
		size_t size;
		if (napi_get_element(env, offsets, i, &offset_value) != napi_ok ||
		    napi_get_element(env, buffers, i, &buffer_value) != napi_ok ||
		    napi_get_value_uint32(env, offset_value, &offset) != napi_ok ||
		    get_bytes(env, buffer_value, &bytes, &size) != napi_ok) {
			throw_last_error(env);
			return false;
		}
		uint64_t address = (uintptr_t)bytes;
		if (length < sizeof address || offset > length - sizeof address) {
			napi_throw_range_error(env, NULL, "a pointer lies outside of the attributes");
			return false;
		}
		memcpy(attributes + offset, &address, sizeof address);
	}
	return true;
}

/*
 * bpf(command, attributes, offsets, buffers): fd | 0 | -errno; bpf(2). The address of buffers[i] goes to offsets[i] of
 * a copy of the attributes. How large a buffer has to be is between the caller and the kernel.
 */
static napi_value bpf(napi_env env, napi_callback_info info) {
	napi_value arguments[4];
	int32_t command;
	void *bytes;
	size_t length;
	uint8_t attributes[MAX_BPF_ATTRIBUTES] __attribute__((aligned(8)));
	TRY(env, get_arguments(env, info, 4, arguments));
	TRY(env, napi_get_value_int32(env, arguments[0], &command));
	TRY(env, get_bytes(env, arguments[1], &bytes, &length));
	if (length > sizeof attributes) return number(env, -E2BIG);
	memcpy(attributes, bytes, length);
	if (!put_pointers(env, arguments[2], arguments[3], attributes, length)) return NULL;
	return result_of(env, syscall(SYS_bpf, command, attributes, length));
}

napi_status define_system(napi_env env, napi_value exports) {
	static const struct {
		const char *name;
		napi_callback callback;
	} functions[] = {
		{"sendDatagram", send_datagram},
		{"appendText", append_text_},
		{"lockFile", lock_file},
		{"pidfdOpen", pidfd_open_},
		{"pidfdSendSignal", pidfd_send_signal_},
		{"networkNamespaceCookie", network_namespace_cookie},
		{"enterNetworkNamespace", enter_network_namespace},
		{"execute", execute},
		{"exitNow", exit_now},
		{"streamListen", stream_listen},
		{"streamConnect", stream_connect},
		{"localPort", local_port},
		{"bpf", bpf},
	};
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
		napi_status status = define_function(env, exports, functions[i].name, functions[i].callback);
		if (status != napi_ok) return status;
	}
	return napi_ok;
}
