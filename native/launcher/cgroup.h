/*
 * The way by BPF: a program in the kernel makes the sockets of a cgroup MPTCP. src/kernel/bpf loads it and keeps the
 * set of cgroups; here is what a process needs to be run in one of its own.
 */
#ifndef CGROUP_H
#define CGROUP_H

#include <stdbool.h>

/*
 * Runs `NODE SCRIPT attach --pid PID [--debug] [--refuse-options]`, which moves this process into a new cgroup and attaches that. A watcher stays
 * behind until the cgroup is empty, removes it and has it swept out. This process has no child, open file or pending
 * signal more than before. 0; or Node's exit status, which has said why, but for 127: there is no Node; or -errno,
 * `step` then names what failed.
 */
int convert_by_bpf(const char *node, const char *script, bool debug, bool refuse_options, const char **step);

#endif
