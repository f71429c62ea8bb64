/* What a new TCP socket takes over from the MPTCP socket whose place it is to take. Each gives NULL, or an obstacle. */
#ifndef CARRY_H
#define CARRY_H

#include "memory.h"

/* The options of carried.def. */
const char *carry_options(int old, int made);

/* Hints that MPTCP has refused. */
const char *carry_hints(struct option_memory *memory, int old, int made);

/* O_NONBLOCK, and to whom signals go. */
const char *carry_file_flags(int old, int made);

/* The address that the old one is bound to. If it has a port, both have SO_REUSEADDR afterwards. */
const char *carry_address(int old, int made);

#endif
