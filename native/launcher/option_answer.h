/* The answers to setsockopt() and getsockopt() of options that MPTCP refuses: those of native/options. */
#ifndef OPTION_ANSWER_H
#define OPTION_ANSWER_H

#include "caller.h"
#include "supervision.h"

/*
 * Whether the call is answered: if not, the kernel is to go on with it. That is so for what the kernel itself takes,
 * so for all sockets but those of MPTCP, and where the caller's files and memory are out of reach.
 */
bool answer_option(const struct supervision *supervision, const struct caller *caller);

/* For the successor of a process that was killed amid an answer: gives back what that may have borrowed. */
void undo_change(const struct supervision *supervision, const struct caller *caller);

#endif
