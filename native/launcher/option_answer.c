#define _GNU_SOURCE
#include "option_answer.h"

#include "../options/socket_calls.h"
#include "option_host.h"
#include "reach.h"
#include "rights.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	LONGEST_VALUE = 4096,
	/* In place of a result, 0 or -errno: the kernel is to go on with the call. */
	LEFT = 1,
};

/* A call about an option of an MPTCP socket. */
struct option_call {
	const struct supervision *supervision;
	const struct caller *caller;
	struct option_host host;
	struct refused_call refused;
	int memory;              /* the caller's */
	uint64_t value, length;  /* the last arguments of the call */
};

/* LEFT, with a line that says why. */
static int leave(const struct option_call *call, const char *reason) {
	if (!call->host.say) return LEFT;
	struct line line;
	begin_line(&line, "mptcpwrap: ");
	add_text(&line, call->refused.row->name);
	add_text(&line, " of fd ");
	add_decimal(&line, call->refused.number);
	add_text(&line, " is left to the kernel, ");
	add_text(&line, reason);
	add_text(&line, "\n");
	call->host.say(call->host.context, &line);
	return LEFT;
}

static int value_of(int socket, int option) {
	int value = 0;
	socklen_t length = sizeof value;
	return kernel_getsockopt(socket, SOL_SOCKET, option, &value, &length) < 0 ? 0 : value;
}

/* What a successor of this process needs, should it be killed. */
static void note_change(const struct supervision *supervision, int socket) {
	struct in_flight *in_flight = supervision->in_flight;
	in_flight->reuse = value_of(socket, SO_REUSEADDR);
	in_flight->replacement = 0;
	in_flight->changing = cookie_of_socket(socket);
}

void undo_change(const struct supervision *supervision, const struct caller *caller) {
	const struct in_flight *in_flight = supervision->in_flight;
	if (in_flight->changing == 0) return;
	int socket = take_file(caller, (int)in_flight->request.data.args[0]);
	if (socket < 0) return;
	uint64_t cookie = cookie_of_socket(socket);
	if (cookie != 0 && (cookie == in_flight->changing || cookie == in_flight->replacement))
		kernel_setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &in_flight->reuse, sizeof in_flight->reuse);
	close(socket);
}

/* With the caller's rights. The kernel is asked first; an error of its own it gives to the caller itself. */
static int set(struct option_call *call, const unsigned char *value, unsigned length) {
	const struct option_row *row = call->refused.row;
	if (kernel_setsockopt(call->refused.socket, row->level, row->number, value, length) == 0) return 0;
	call->refused.error = errno;
	if (!is_refusal_to_set(row, call->refused.socket, call->refused.error)) return LEFT;
	note_change(call->supervision, call->refused.socket);
	return -answer_set(&call->host, &call->refused, value, length);
}

static int answer_set_call(struct option_call *call) {
	unsigned char value[LONGEST_VALUE];
	struct rights rights;
	/* What the kernel takes there is an int. */
	unsigned length = (unsigned)call->length;
	if (length > sizeof value) return leave(call, "its value is too long");
	/* TCP would not get it either. */
	if (read_memory(call->memory, call->value, value, length) < length || !still_waits(call->caller)) return LEFT;
	if (!lower_rights(call->caller, call->supervision->proc, &rights)) return leave(call, "rights cannot be lowered");
	int result = set(call, value, length);
	restore_rights(&rights);
	return result;
}

/* As getsockopt(2) does it. The caller waits, so it does not use its memory. */
static int write_answer(const struct option_call *call, const unsigned char *value, unsigned room, unsigned length) {
	if (!still_waits(call->caller)) return -ESRCH;
	bool written = write_memory(call->memory, call->value, value, length < room ? length : room) &&
	               write_memory(call->memory, call->length, &length, sizeof length);
	return written ? 0 : -EFAULT;
}

static int answer_get_call(struct option_call *call) {
	unsigned char value[LONGEST_VALUE] = {0};
	const struct option_row *row = call->refused.row;
	unsigned length, room;
	if (read_memory(call->memory, call->length, &length, sizeof length) < sizeof length) return LEFT;
	room = length < sizeof value ? length : sizeof value;
	/* Some options read there which value is wanted. */
	read_memory(call->memory, call->value, value, room);
	if (!still_waits(call->caller)) return LEFT;
	/* An answer of the kernel's own it gives to the caller itself. */
	socklen_t unused = room;
	if ((int)length < 0) return LEFT;
	if (kernel_getsockopt(call->refused.socket, row->level, row->number, value, &unused) == 0) return LEFT;
	if (!is_refusal(errno)) return LEFT;
	call->refused.error = errno;
	length = room;
	int error = answer_get(&call->host, &call->refused, value, &length);
	return error ? -error : write_answer(call, value, room, length);
}

static int answer_reached(struct option_call *call) {
	if (refers_to_caller(call->refused.row)) return leave(call, "its value refers to other memory or files");
	call->memory = open_memory(call->caller);
	if (call->memory == -ESRCH) return LEFT;
	if (call->memory < 0) return leave(call, "the program's memory is out of reach");
	bool sets = call->supervision->in_flight->request.data.nr == SYS_setsockopt;
	int result = sets ? answer_set_call(call) : answer_get_call(call);
	close(call->memory);
	return result;
}

bool answer_option(const struct supervision *supervision, const struct caller *caller) {
	const struct seccomp_data *data = &supervision->in_flight->request.data;
	const struct option_row *row = find_option_row((int)data->args[1], (int)data->args[2]);
	const struct on_behalf on_behalf = {supervision, caller};
	struct option_call call = {
		.supervision = supervision,
		.caller = caller,
		.host = option_host_of(&on_behalf),
		.refused = {.number = (int)data->args[0], .row = row},
		.value = data->args[3],
		.length = data->args[4],
	};
	if (!row) return false;
	/* The socket of the last call may have been made with other ids. */
	take_own_ids();
	call.refused.socket = take_file(caller, call.refused.number);
	if (call.refused.socket == -EPERM) leave(&call, "the program's files are out of reach");
	if (call.refused.socket < 0) return false;
	int result = concerned_row(call.refused.socket, row->level, row->number) ? answer_reached(&call) : LEFT;
	/* First: a socket that has been replaced may have the port that the caller uses next. */
	close(call.refused.socket);
	if (result != LEFT) send_result(supervision, result);
	return result != LEFT;
}
