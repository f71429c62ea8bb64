/*
 * The rights by which the kernel lets a process set some socket options: the supervisor may have more of them than the
 * program in whose name it sets one.
 */
#ifndef RIGHTS_H
#define RIGHTS_H

#include "caller.h"

#include <linux/capability.h>

struct rights {
	struct __user_cap_data_struct data[2];
};

/* Whether rights can be changed here; a policy may kill this process instead. */
bool may_change_rights(void);

/*
 * Leaves this process of CAP_NET_ADMIN and CAP_NET_RAW what the caller has as well: false if that fails. `before` is
 * for restore_rights.
 */
bool lower_rights(const struct caller *caller, int proc, struct rights *before);
void restore_rights(const struct rights *before);

#endif
