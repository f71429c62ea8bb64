#include "filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the filter knows x86-64 and arm64 only"
#endif

/* The low half of an argument (both architectures are little-endian); the calls take ints and ignore the other. */
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_EQUAL(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, then, otherwise)
/* Any distance: those of IF_EQUAL are at most 255. */
#define SKIP(count) BPF_STMT(BPF_JMP | BPF_JA, count)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define STOP BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)

static void add(struct filter *filter, size_t count, const struct sock_filter *code) {
	/* The table would have to grow threefold. */
	if (filter->length + count > FILTER_ROOM) abort();
	memcpy(filter->code + filter->length, code, count * sizeof *code);
	filter->length += (unsigned short)count;
}

#define ADD(filter, ...) \
	add(filter, sizeof(struct sock_filter[]){__VA_ARGS__} / sizeof(struct sock_filter), \
	    (struct sock_filter[]){__VA_ARGS__})

/* The call's number is loaded. */
static void add_socket(struct filter *filter, bool to_tcp, bool answers_options) {
	ADD(filter,
	    IF_EQUAL(SYS_socket, 0, 13),
	    LOAD(args[0]),
	    IF_EQUAL(AF_INET, 1, 0),
	    IF_EQUAL(AF_INET6, 0, 9),
	    LOAD(args[1]),
	    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~(SOCK_NONBLOCK | SOCK_CLOEXEC)),
	    IF_EQUAL(SOCK_STREAM, 0, 6),
	    LOAD(args[2]),
	    IF_EQUAL(to_tcp ? IPPROTO_MPTCP : 0, 3, 0),
	    IF_EQUAL(to_tcp ? IPPROTO_MPTCP : IPPROTO_TCP, 2, 0),
	    /* Not to be changed, only to be told from those that are. */
	    IF_EQUAL(to_tcp || answers_options ? IPPROTO_MPTCP : IPPROTO_TCP, 1, 0),
	    ALLOW,
	    STOP,
	    ALLOW);
}

/* The level is loaded. */
static void add_level(struct filter *filter, unsigned level, const struct option_choice *choice) {
	ADD(filter, IF_EQUAL(level, 1, 0), SKIP(0));
	unsigned short skip = filter->length - 1;
	ADD(filter, LOAD(args[2]));
	for (unsigned row = 0; row < option_row_count; row++)
		if (option_rows[row].level == level && is_chosen(choice, row))
			ADD(filter, IF_EQUAL(option_rows[row].number, 0, 1), STOP);
	ADD(filter, ALLOW);
	filter->code[skip].k = filter->length - skip - 1u;
}

/* As above. */
static void add_options(struct filter *filter, const struct option_choice *choice) {
	static const unsigned char levels[] = {LEVEL_TCP, LEVEL_SOCKET, LEVEL_IP, LEVEL_IPV6};
	ADD(filter, IF_EQUAL(SYS_setsockopt, 2, 0), IF_EQUAL(SYS_getsockopt, 1, 0), ALLOW, LOAD(args[1]));
	for (size_t i = 0; i < sizeof levels; i++) add_level(filter, levels[i], choice);
}

void write_filter(struct filter *filter, bool to_tcp, const struct option_choice *choice) {
	filter->length = 0;
	/* Other architectures' calls, and x32's (their numbers have a bit more), have other numbers. */
	ADD(filter, LOAD(arch), IF_EQUAL(ARCHITECTURE, 1, 0), ALLOW, LOAD(nr));
	bool answers_options = choice && choice->possible;
	add_socket(filter, to_tcp, answers_options);
	if (answers_options) add_options(filter, choice);
	ADD(filter, ALLOW);
}
