/* What the kernel gives a process that asks for a stream over IP. */
#ifndef KERNEL_H
#define KERNEL_H

#include <netinet/in.h>
#include <stdbool.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* Why this kernel gives no MPTCP socket; NULL if it does. */
const char *kernel_refusal(void);

/* Whether who asks for one protocol gets a socket of the other: filters that are in force count. */
bool kernel_gives(int asked, int given);

#endif
