/*
 * The values of hints that MPTCP has refused, by the socket's cookie, which the kernel gives to no other socket. Bounded:
 * new values take the place of others, which are then read as TCP's defaults. Nothing waits for anything here: threads,
 * signal handlers, and processes that share the memory may all use it at once.
 */
#ifndef OPTION_MEMORY_H
#define OPTION_MEMORY_H

#include "table.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { MEMORY_SLOTS = 2048 };

/* All zero: nothing is remembered. */
struct option_memory {
	struct {
		_Atomic(uint64_t) key, value;
	} slots[MEMORY_SLOTS];
};

void remember_option(struct option_memory *memory, uint64_t cookie, const struct option_row *row, int value);
bool recall_option(struct option_memory *memory, uint64_t cookie, const struct option_row *row, int *value);

/* That the program itself has asked for an MPTCP socket, which is left to the kernel. */
void remember_asked_for(struct option_memory *memory, uint64_t cookie);
bool was_asked_for(struct option_memory *memory, uint64_t cookie);

#endif
