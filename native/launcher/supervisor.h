/*
 * The supervisor of programs that run under the filter of seccomp.c: two processes. The worker answers, the guardian
 * waits; whichever is killed, the other replaces it at once, and who was waiting for an answer gets one. A worker that
 * is killed within a second of its start is replaced after a pause of at most 128 ms, in which the guardian answers.
 * When both are killed, socket() of the program fails with ENOSYS, where it asks for TCP, and so do the calls about
 * options that were chosen. Both end when the last task under the filter is gone, and are nobody's children but init's
 * (or the subreaper's: a program that is itself the init of its pid namespace will see the guardian among its children).
 */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include "option_choice.h"
#include "seccomp.h"

/*
 * Starts it, to wait for its listener. The file descriptor over which it is to get that, closing which without ends
 * it; or -errno, and `step`. `choice` is made as well, unless it is NULL.
 */
int start_supervisor(const struct conversion *conversion, struct option_choice *choice, const char **step);

/*
 * Gives it the listener of the filter; `restartable`: signals interrupt a call that waits for its answer. 0, or
 * -errno: then the supervisor has been killed.
 */
int hand_over(int channel, int listener, bool restartable);

#endif
