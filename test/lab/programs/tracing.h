/* Following a process, and what it starts, from system call to system call (ptrace(2)). */
#ifndef TRACING_H
#define TRACING_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

static _Noreturn void fail(const char *what) {
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

/* A stop at the start or the end of a system call, of the worker or what it has started. */
struct stop {
	pid_t pid;
	bool entry;
	uint64_t call, argument; /* the second; at the end the call is that of the start */
};

static struct stop last_entries[2]; /* of the worker, and of the visitor */
static pid_t worker;

static void trace(pid_t pid) {
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
	int status;
	if (ptrace(PTRACE_SEIZE, pid, 0, options) < 0) fail("PTRACE_SEIZE");
	if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0 || waitpid(pid, &status, __WALL) != pid) fail("PTRACE_INTERRUPT");
	ptrace(PTRACE_SYSCALL, pid, 0, 0);
}

/* Waits for the next such stop; false when this caller has ended. What is stopped for other reasons goes on. */
static bool next_stop(pid_t caller, struct stop *stop) {
	for (;;) {
		int status;
		struct __ptrace_syscall_info info;
		pid_t pid = waitpid(-1, &status, __WALL);
		if (pid < 0) fail("waitpid");
		if (pid == caller && !WIFSTOPPED(status)) return false;
		if (!WIFSTOPPED(status)) continue;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
			ptrace(PTRACE_SYSCALL, pid, 0, 0);
			continue;
		}
		if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) <= 0) fail("PTRACE_GET_SYSCALL_INFO");
		struct stop *entry = &last_entries[pid != worker];
		*stop = (struct stop){.pid = pid, .entry = info.op == PTRACE_SYSCALL_INFO_ENTRY};
		if (stop->entry) {
			stop->call = info.entry.nr;
			stop->argument = info.entry.args[1];
			*entry = *stop;
		} else {
			stop->call = entry->call;
			stop->argument = entry->argument;
		}
		return true;
	}
}

#ifdef __x86_64__
/* Gives the system call at whose start a process stands another number; -1 is none. */
static inline void set_call(pid_t pid, long call) {
	if (ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax), call) < 0) fail("PTRACE_POKEUSER");
}

/* Gives the system call at whose end a process stands another result. */
static inline void set_result(pid_t pid, long result) {
	if (ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax), result) < 0) fail("PTRACE_POKEUSER");
}
#endif

/* Follows the worker, which this process traces, to the end of the ioctl by which it takes a call of the caller. */
static void follow_to_receipt(pid_t caller) {
	struct stop stop;
	do {
		if (!next_stop(caller, &stop)) fail("no call");
		if (stop.entry || stop.call != SYS_ioctl || stop.argument != SECCOMP_IOCTL_NOTIF_RECV)
			ptrace(PTRACE_SYSCALL, stop.pid, 0, 0);
		else return;
	} while (true);
}

#endif
