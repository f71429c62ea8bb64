/*
 * A caller's files and memory. One needs the right to trace it (ptrace(2)), which a program that has given up root
 * denies to a supervisor without CAP_SYS_PTRACE, and Yama to one that is not root.
 */
#ifndef REACH_H
#define REACH_H

#include "caller.h"

#include <stddef.h>

/* Whether the system calls for that are allowed to this process; a policy may kill it instead of answering. */
bool may_reach(void);

/* A descriptor of this process for the caller's file of that number, or -errno. */
int take_file(const struct caller *caller, int number);

/* Whether the caller's descriptor is closed by execve(2), as it is set: 0 or 1, or -errno. */
int closes_on_exec(const struct caller *caller, int number);

/*
 * The caller's memory, or -errno. It remains that of the caller even if another process gets the caller's id, which
 * cannot be said of process_vm_writev(2).
 */
int open_memory(const struct caller *caller);

/* How much could be read, from the beginning. */
size_t read_memory(int memory, uint64_t address, void *value, size_t length);

bool write_memory(int memory, uint64_t address, const void *value, size_t length);

#endif
