/* The end of a seccomp filter at which calls are answered (seccomp_unotify(2)). */
#ifndef LISTENER_H
#define LISTENER_H

#include <linux/seccomp.h>
#include <sys/ioctl.h> /* the macros that SECCOMP_IOCTL_NOTIF_… stand on */

/*
 * ioctl() of a request that does not wait for callers; -1 and errno. A signal can interrupt it before it has done
 * anything, even one that only stops this process for a moment: then it is repeated, as the caller waits for good
 * (kernel/seccomp.c, mutex_lock_interruptible).
 */
int listener_ioctl(int listener, unsigned long request, void *argument);

#endif
