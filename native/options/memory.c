#include "memory.h"

/* A key may be in any of so many slots, beginning with the one that its hash gives. */
enum { WAYS = 4 };

/* A row that no option has. */
enum { ASKED_FOR = 0xff };

/* Never 0: the kernel counts cookies from 1, and will not come to 2^56. */
static uint64_t key_of(uint64_t cookie, unsigned row) {
	return cookie << 8 | row;
}

static unsigned first_slot(uint64_t key) {
	return (key * 0x9e3779b97f4a7c15u >> 40) % MEMORY_SLOTS;
}

/* With the value goes a part of the key: who reads while others write sees whether the two belong together. */
static uint64_t tagged(uint64_t key, int value) {
	return key << 32 | (uint32_t)value;
}

static void put(struct option_memory *memory, uint64_t key, int value) {
	unsigned first = first_slot(key), chosen = WAYS;
	for (unsigned way = 0; way < WAYS; way++) {
		uint64_t found = memory->slots[(first + way) % MEMORY_SLOTS].key;
		if (found == key) {
			chosen = way;
			break;
		}
		if (found == 0 && chosen == WAYS) chosen = way;
	}
	/* Cookies grow, so this goes through the ways. */
	if (chosen == WAYS) chosen = (key >> 8) % WAYS;
	unsigned slot = (first + chosen) % MEMORY_SLOTS;
	memory->slots[slot].value = tagged(key, value);
	memory->slots[slot].key = key;
}

static bool get(struct option_memory *memory, uint64_t key, int *value) {
	unsigned first = first_slot(key);
	for (unsigned way = 0; way < WAYS; way++) {
		unsigned slot = (first + way) % MEMORY_SLOTS;
		if (memory->slots[slot].key != key) continue;
		uint64_t found = memory->slots[slot].value;
		if (found != tagged(key, (int)(uint32_t)found)) continue;
		*value = (int)(uint32_t)found;
		return true;
	}
	return false;
}

void remember_option(struct option_memory *memory, uint64_t cookie, const struct option_row *row, int value) {
	put(memory, key_of(cookie, row - option_rows), value);
}

bool recall_option(struct option_memory *memory, uint64_t cookie, const struct option_row *row, int *value) {
	return get(memory, key_of(cookie, row - option_rows), value);
}

void remember_asked_for(struct option_memory *memory, uint64_t cookie) {
	put(memory, key_of(cookie, ASKED_FOR), 0);
}

bool was_asked_for(struct option_memory *memory, uint64_t cookie) {
	int value;
	return get(memory, key_of(cookie, ASKED_FOR), &value);
}
