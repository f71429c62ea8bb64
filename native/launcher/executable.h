/*
 * What an executable is, of what its ELF headers say (elf(5)). Only headers are read. However malformed a file is,
 * nothing in it leads out of the buffers: at worst the answer is wrong, and the kernel refuses to execute it.
 */
#ifndef EXECUTABLE_H
#define EXECUTABLE_H

#include <limits.h>
#include <stdbool.h>

enum linkage {
	LINKAGE_STATIC,
	LINKAGE_DYNAMIC,
	LINKAGE_FOREIGN, /* another architecture or word size: our library and our filter are not for it */
};

struct executable {
	enum linkage linkage;
	bool go;               /* made by Go's toolchain */
	int go_minor;          /* 21 for go1.21.3; 0 where it is not known */
	char loader[PATH_MAX]; /* that a dynamic one asks for, or "" */
};

/* 0; -ENOEXEC for what is not ELF; -errno of a failed read */
int read_executable(int fd, struct executable *executable);

#endif
