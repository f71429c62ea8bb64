/* The lines under MPTCPWRAP_DEBUG. */
#ifndef STANDARD_ERROR_H
#define STANDARD_ERROR_H

#include "../options/line.h"

/* In one write, as other threads write, too. errno is not kept. */
void print_line(const struct line *line);

#endif
