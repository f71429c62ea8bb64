#define _GNU_SOURCE
#include "option_choice.h"

#include "../options/refused.h"
#include "../options/socket_calls.h"
#include "kernel.h"
#include "reach.h"
#include "rights.h"
#include "shared_memory.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct option_choice *new_option_choice(void) {
	return shared_memory(sizeof(struct option_choice));
}

static bool is_refused(int socket, const struct option_row *row) {
	int value = 0;
	/* More than any option is long, and one counts it in something else. */
	char room[4096] = {0};
	socklen_t length = 256;
	if (kernel_setsockopt(socket, row->level, row->number, &value, sizeof value) < 0 && is_refusal(errno)) return true;
	return kernel_getsockopt(socket, row->level, row->number, room, &length) < 0 && is_refusal(errno);
}

void choose_options(struct option_choice *choice) {
	/* If it is killed, that is not worth a dump. */
	prctl(PR_SET_DUMPABLE, 0);
	choice->possible = may_reach() && may_change_rights();
	if (!choice->possible) return;
	int sockets[] = {
		kernel_socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP),
		kernel_socket(AF_INET6, SOCK_STREAM, IPPROTO_MPTCP),
	};
	for (unsigned row = 0; row < option_row_count && row < sizeof choice->is_taken; row++) {
		bool is_known = false;
		bool refused = refers_to_caller(&option_rows[row]) || !has_effect_on_connections(&option_rows[row]);
		for (int i = 0; i < 2 && !refused; i++) {
			if (sockets[i] < 0) continue;
			is_known = true;
			refused = is_refused(sockets[i], &option_rows[row]);
		}
		choice->is_taken[row] = is_known && !refused;
	}
}
