/* File descriptors: sent to another process, and kept away from the numbers of the standard files. */
#ifndef DESCRIPTOR_H
#define DESCRIPTOR_H

#include <stdbool.h>

/* Sends a number, with a file descriptor unless that is -1, over a Unix socket: 0 or -errno. */
int send_descriptor(int channel, int number, int fd);

/* The other end: whether something came. `fd` is -1 if the number came alone, or if there was no room for a file. */
bool receive_descriptor(int channel, int *number, int *fd);

/*
 * Gives both ends numbers above 2: where the program's standard files are closed, a new file gets the number of one,
 * and would be taken for it. 0; or -errno, and both are closed.
 */
int move_above_standard_files(int ends[2]);

#endif
