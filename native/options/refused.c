#include "refused.h"

#include "become_tcp.h"
#include "kernel_calls.h"

/* What can be compared of a value: longer ones (IP_OPTIONS has at most 40 bytes) are never in force already. */
struct value {
	int error;
	unsigned length;
	unsigned char bytes[64];
};

const struct option_row *concerned_row(int socket, int level, int name) {
	const struct option_row *row = find_option_row(level, name);
	return row && socket_fact(socket, SO_PROTOCOL, 0) == IPPROTO_MPTCP ? row : NULL;
}

bool is_refusal_to_set(const struct option_row *row, int socket, int error) {
	return is_refusal(error) || (error == EINVAL && !has_effect_on_connections(row) && has_connection(socket));
}

void leave_to_kernel(const struct option_host *host, int socket) {
	uint64_t cookie = cookie_of(socket, SO_COOKIE);
	if (cookie) remember_asked_for(host->memory, cookie);
}

static void say(const struct option_host *host, const struct refused_call *call, const char *answer, int error,
                const char *reason) {
	if (!host->say) return;
	struct line line;
	begin_line(&line, "mptcpwrap: MPTCP refuses ");
	add_text(&line, call->row->name);
	add_text(&line, " of fd ");
	add_decimal(&line, call->number);
	add_text(&line, answer);
	if (error) add_decimal(&line, error);
	add_text(&line, reason);
	add_text(&line, "\n");
	host->say(host->context, &line);
}

/* The kernel's answer stands. */
static int stand(const struct option_host *host, const struct refused_call *call, const char *reason) {
	say(host, call, ": errno ", call->error, reason);
	return call->error;
}

/* A TCP socket with the value that the program has set so far, or -errno. */
static int make_probe(const struct option_host *host, const struct refused_call *call, uint64_t cookie) {
	int probe = host->make_socket(host->context, socket_fact(call->socket, SO_DOMAIN, AF_INET)), value;
	if (probe >= 0 && recall_option(host->memory, cookie, call->row, &value))
		set_option(probe, call->row->level, call->row->number, &value, sizeof value);
	return probe;
}

struct piece {
	void *start;
	unsigned long length;
};

/*
 * Between memory of this process and that of the call, which may be no memory at all: there is no other call that tells.
 * False, too, where a policy forbids it.
 */
static bool transfer(long direction, void *own, const void *of_call, unsigned long length) {
	struct piece local = {own, length}, remote = {(void *)of_call, length};
	return outcome(syscall(direction, syscall(SYS_getpid), &local, 1L, &remote, 1L, 0L)) == (int)length;
}

static int stand_without_probe(const struct option_host *host, const struct refused_call *call) {
	return stand(host, call, ", and there is no TCP socket to compare with");
}

/* Where there may be no more files: a hint is harmless, whatever TCP would make of its value. */
static int set_without_probe(const struct option_host *host, const struct refused_call *call, uint64_t cookie,
                             const void *value, unsigned length) {
	int number;
	bool is_hint = is_refusal(call->error) && (call->row->class == HINT || call->row->class == HINT_EXCEPT_1_255);
	if (!is_hint || length < sizeof number || !transfer(SYS_process_vm_readv, &number, value, sizeof number))
		return stand_without_probe(host, call);
	if (call->row->class == HINT_EXCEPT_1_255 && (number == 1 || number == 255)) return stand_without_probe(host, call);
	remember_option(host->memory, cookie, call->row, number);
	say(host, call, ": taken as a hint", 0, "");
	return 0;
}

/* What was remembered can be read even so. */
static int get_without_probe(const struct option_host *host, const struct refused_call *call, uint64_t cookie,
                             void *value, unsigned *length) {
	int number;
	unsigned room, size = sizeof number;
	bool is_read = recall_option(host->memory, cookie, call->row, &number) &&
	               transfer(SYS_process_vm_readv, &room, length, sizeof room) && room >= size &&
	               transfer(SYS_process_vm_writev, &number, value, size) &&
	               transfer(SYS_process_vm_writev, &size, length, sizeof size);
	if (!is_read) return stand_without_probe(host, call);
	say(host, call, ": read as it was set", 0, "");
	return 0;
}

static bool is_connected(int socket) {
	unsigned char address[28];
	unsigned length = sizeof address;
	return outcome(syscall(SYS_getpeername, socket, address, &length)) == 0;
}

/* An error of the probe that the socket itself, if it were TCP, would not have given: it is connected. */
static bool is_of_probe_only(const struct refused_call *call, int error) {
	return (error == ENOTCONN || error == ENOENT) && is_connected(call->socket);
}

static void read_value(int probe, const struct option_row *row, struct value *value) {
	value->length = sizeof value->bytes;
	/* Some read there what is wanted. */
	for (unsigned i = 0; i < sizeof value->bytes; i++) value->bytes[i] = 0;
	if (row->level == LEVEL_SOCKET && row->number == SO_ATTACH_FILTER) {
		/* Its length is counted in instructions of eight bytes. */
		value->error = EINVAL;
		return;
	}
	value->error = -get_option(probe, row->level, row->number, value->bytes, &value->length);
}

/*
 * Whether reading after a set of `length` bytes gives what it gave before. Nothing read tells only that nothing was set;
 * more than can be read tells nothing.
 */
static bool is_same(const struct value *before, const struct value *after, unsigned length) {
	if (before->error || after->error || before->length != after->length) return false;
	if (after->length == 0) return length == 0;
	if (after->length == sizeof after->bytes) return false;
	for (unsigned i = 0; i < after->length; i++)
		if (before->bytes[i] != after->bytes[i]) return false;
	return true;
}

static int int_of(const struct value *value) {
	unsigned result = 0;
	for (unsigned i = 0; i < sizeof result; i++) ((unsigned char *)&result)[i] = value->bytes[i];
	return (int)result;
}

static bool is_int(const struct value *value) {
	return !value->error && value->length == sizeof(int);
}

static enum option_class class_of(const struct option_row *row, const struct value *after) {
	if (row->class != HINT_EXCEPT_1_255) return row->class;
	bool is_relied_on = is_int(after) && (int_of(after) == 1 || int_of(after) == 255);
	return is_relied_on ? SEMANTIC : HINT;
}

static int take_hint(const struct option_host *host, const struct refused_call *call, uint64_t cookie,
                     const struct value *after) {
	/* One that cannot be read, or is no number, has no reader either. */
	if (is_int(after)) remember_option(host->memory, cookie, call->row, int_of(after));
	say(host, call, ": taken as a hint", 0, "");
	return 0;
}

int answer_set(const struct option_host *host, const struct refused_call *call, const void *value, unsigned length) {
	uint64_t cookie = cookie_of(call->socket, SO_COOKIE);
	if (!cookie || was_asked_for(host->memory, cookie)) return stand(host, call, ", the program asked for MPTCP");
	int probe = make_probe(host, call, cookie);
	if (probe < 0) return set_without_probe(host, call, cookie, value, length);
	struct value before, after;
	read_value(probe, call->row, &before);
	int error = -set_option(probe, call->row->level, call->row->number, value, length);
	read_value(probe, call->row, &after);
	close_file(probe);
	if (error && is_of_probe_only(call, error)) return stand(host, call, ", the connection is MPTCP");
	if (error) {
		say(host, call, ": errno ", error, " as TCP gives");
		return error;
	}
	if (is_same(&before, &after, length)) {
		say(host, call, ": it has that value already", 0, "");
		return 0;
	}
	if (!is_refusal(call->error)) {
		say(host, call, ": it has no effect on a connection", 0, "");
		return 0;
	}
	enum option_class class = class_of(call->row, &after);
	if (class == OPTIONAL && host->policy != OPTIONS_TCP) return stand(host, call, ", programs do without it");
	if (class == HINT && host->policy != OPTIONS_TCP) return take_hint(host, call, cookie, &after);
	const char *obstacle = become_tcp(host, call, value, length);
	if (!obstacle) {
		say(host, call, ": it is TCP now", 0, "");
		return 0;
	}
	return class == HINT ? take_hint(host, call, cookie, &after) : stand(host, call, obstacle);
}

int answer_get(const struct option_host *host, const struct refused_call *call, void *value, unsigned *length) {
	uint64_t cookie = cookie_of(call->socket, SO_COOKIE);
	if (!cookie || was_asked_for(host->memory, cookie)) return stand(host, call, ", the program asked for MPTCP");
	int probe = make_probe(host, call, cookie);
	if (probe < 0) return get_without_probe(host, call, cookie, value, length);
	int error = -get_option(probe, call->row->level, call->row->number, value, length);
	close_file(probe);
	if (error && is_of_probe_only(call, error)) return stand(host, call, ", the connection is MPTCP");
	if (error) say(host, call, ": errno ", error, " as TCP gives");
	else say(host, call, ": read as TCP has it", 0, "");
	return error;
}
