/* Which options the supervisor is to be asked about: those of native/options/table.def that this kernel refuses. */
#ifndef OPTION_CHOICE_H
#define OPTION_CHOICE_H

#include "../options/table.h"

#include <stdbool.h>

/* In memory that a child can fill in. */
struct option_choice {
	/* Whether the system calls that answers need are allowed here: otherwise no option is chosen. */
	bool possible;
	/* By row: options that MPTCP takes on this kernel, whose calls then cost nothing. */
	bool is_taken[256];
};

/* Of what cannot be known, everything: NULL if there is no memory. */
struct option_choice *new_option_choice(void);

/* To be made by a process that nobody misses: a policy may kill it for a call, and then the rest is left as it is. */
void choose_options(struct option_choice *choice);

static inline bool is_chosen(const struct option_choice *choice, unsigned row) {
	return row >= sizeof choice->is_taken || !choice->is_taken[row];
}

#endif
