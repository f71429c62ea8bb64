#include "table.h"

#include <stddef.h>

const struct option_row option_rows[] = {
#define OPTION(level, name, number, class, reason) {level, number, class, name},
#include "table.def"
};

const unsigned option_row_count = sizeof option_rows / sizeof *option_rows;

const struct option_row *find_option_row(int level, int number) {
	for (const struct option_row *row = option_rows; row < option_rows + option_row_count; row++)
		if (row->level == level && row->number == number) return row;
	return NULL;
}

bool has_effect_on_connections(const struct option_row *row) {
#define BEFORE_CONNECTION(of, name) \
	if (row->level == of && row->number == name) return false;
#include "table.def"
	return true;
}

bool refers_to_caller(const struct option_row *row) {
	enum { SO_ATTACH_FILTER = 26, SO_ATTACH_BPF = 50, SO_ATTACH_REUSEPORT_EBPF = 52, TCP_ZEROCOPY_RECEIVE = 35 };
	if (row->level == LEVEL_TCP) return row->number == TCP_ZEROCOPY_RECEIVE;
	return row->level == LEVEL_SOCKET && (row->number == SO_ATTACH_FILTER ||
	                                      (row->number >= SO_ATTACH_BPF && row->number <= SO_ATTACH_REUSEPORT_EBPF));
}
