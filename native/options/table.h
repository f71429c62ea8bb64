/* The options of table.def. */
#ifndef OPTION_TABLE_H
#define OPTION_TABLE_H

#include <stdbool.h>

/* As in the kernel; glibc and musl call the same by other names. */
enum option_level { LEVEL_IP = 0, LEVEL_SOCKET = 1, LEVEL_TCP = 6, LEVEL_IPV6 = 41 };

enum option_class { HINT, HINT_EXCEPT_1_255, OPTIONAL, SEMANTIC };

struct option_row {
	unsigned char level, number, class;
	const char *name;
};

extern const struct option_row option_rows[];
extern const unsigned option_row_count;

/* NULL if the table does not have it. */
const struct option_row *find_option_row(int level, int number);

/* Whether setting it on a connection could change that. */
bool has_effect_on_connections(const struct option_row *row);

/* Whether its value has pointers or descriptors in it, which mean something only in the program itself. */
bool refers_to_caller(const struct option_row *row);

#endif
