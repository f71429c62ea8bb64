#include "seccomp.h"

#include "supervisor.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif

#if defined __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the filter knows x86-64 and arm64 only"
#endif

/* The low half of an argument (both architectures are little-endian); socket() takes ints and ignores the other. */
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_EQUAL(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, then, otherwise)

/* Installs the filter for this process: its listener, or -errno. */
static int install_filter(bool to_tcp, unsigned long flags) {
	struct sock_filter code[] = {
		/* Other architectures' calls, and x32's (their numbers have a bit more), have other numbers. */
		LOAD(arch),
		IF_EQUAL(ARCHITECTURE, 0, 13),
		LOAD(nr),
		IF_EQUAL(SYS_socket, 0, 11),
		LOAD(args[0]),
		IF_EQUAL(AF_INET, 1, 0),
		IF_EQUAL(AF_INET6, 0, 8),
		LOAD(args[1]),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~(SOCK_NONBLOCK | SOCK_CLOEXEC)),
		IF_EQUAL(SOCK_STREAM, 0, 5),
		LOAD(args[2]),
		IF_EQUAL(to_tcp ? IPPROTO_MPTCP : 0, 2, 0),
		IF_EQUAL(to_tcp ? IPPROTO_MPTCP : IPPROTO_TCP, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
	long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, &program);
	return listener < 0 ? -errno : (int)listener;
}

/* As above, with no_new_privs where the kernel demands it: of those without CAP_SYS_ADMIN (seccomp(2)). */
static int install_filter_as_allowed(bool to_tcp, unsigned long flags, bool *no_new_privs) {
	int listener = install_filter(to_tcp, flags);
	if (listener != -EACCES || *no_new_privs) return listener;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -errno;
	*no_new_privs = true;
	return install_filter(to_tcp, flags);
}

int convert_by_seccomp(const struct conversion *conversion, bool *no_new_privs, const char **step) {
	*no_new_privs = false;
	/* First everything that may fail, then the filter, which cannot be taken off again. */
	int channel = start_supervisor(conversion, step);
	if (channel < 0) return channel;
	*step = "seccomp";
	bool restartable = false;
	int listener = install_filter_as_allowed(conversion->to_tcp, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, no_new_privs);
	if (listener == -EINVAL) {
		restartable = true;
		listener = install_filter_as_allowed(conversion->to_tcp, 0, no_new_privs);
	}
	int error = listener;
	if (listener >= 0) {
		*step = "sendmsg";
		error = hand_over(channel, listener, restartable);
		close(listener);
	}
	/* A supervisor that has got no listener ends here. */
	close(channel);
	return error;
}
