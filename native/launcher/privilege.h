/* Which executables gain privilege when they are executed: the kernel tells their loader so (AT_SECURE, getauxval(3)). */
#ifndef PRIVILEGE_H
#define PRIVILEGE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether this process would gain privilege by executing the file, and for people by what: "setuid root". Follows
 * cap_bprm_creds_from_file() in the kernel's security/commoncap.c and bprm_fill_uid() in fs/exec.c.
 */
bool gains_privilege(const char *path, char *by, size_t size);

#endif
