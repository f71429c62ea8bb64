/* One answer to a call that the filter of seccomp.c has stopped: socket(), setsockopt() or getsockopt(). */
#ifndef ANSWER_H
#define ANSWER_H

#include "supervision.h"

/* Fills in all but the listener: 0, or -errno and `step`. */
int prepare_answers(struct supervision *supervision, const char **step);

/* Answers the call that waits at the listener, at once; without a socket the kernel goes on with it as it is. */
void answer(const struct supervision *supervision, bool with_socket);

/*
 * Answers what a killed worker may have left. A socket(): with its socket if the caller has that already, else as TCP.
 * A call about an option: anew, as nothing shows whether it was done, and doing it twice gives the same.
 */
void answer_left_over(const struct supervision *supervision, bool with_socket);

#endif
