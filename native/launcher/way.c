#include "way.h"
#include "installation.h"
#include "privilege.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_GO_WITH_MPTCP = 21 }; /* GODEBUG=multipathtcp=1, https://go.dev/doc/go1.21#net */

const char *way_name(enum way way) {
	static const char *const names[] = {
		[WAY_NONE] = "none", [WAY_PRELOAD] = "preload", [WAY_GO] = "go", [WAY_SECCOMP] = "seccomp", [WAY_BPF] = "bpf",
	};
	return names[way];
}

static bool takes_godebug(const struct program *program) {
	return program->executable.go_minor >= FIRST_GO_WITH_MPTCP;
}

/* Go makes its system calls itself, dynamically linked or not. */
static bool calls_libc(const struct program *program) {
	return !program->readable || (program->executable.linkage == LINKAGE_DYNAMIC && !program->executable.go);
}

static void describe_executable(const struct program *program, char *text, size_t size) {
	const struct executable *executable = &program->executable;
	if (!program->readable) snprintf(text, size, "not readable, taken as dynamically linked");
	else if (executable->linkage == LINKAGE_FOREIGN) snprintf(text, size, "for another architecture");
	else if (executable->go && executable->go_minor == 0) snprintf(text, size, "Go of unknown version");
	else if (executable->go)
		snprintf(text, size, "Go 1.%d%s", executable->go_minor,
		         takes_godebug(program) ? "" : ", which has no MPTCP");
	else if (executable->linkage == LINKAGE_STATIC) snprintf(text, size, "statically linked");
	else if (strstr(executable->loader, "ld-musl")) snprintf(text, size, "dynamically linked, musl");
	else if (strstr(executable->loader, "ld-linux")) snprintf(text, size, "dynamically linked, glibc");
	else snprintf(text, size, "dynamically linked, loader %s", executable->loader);
}

void describe_program(const struct program *program, char *text) {
	char executable[PATH_MAX + 64];
	describe_executable(program, executable, sizeof executable);
	const char *loss = program->starter.loss, *comma = *loss ? ", " : "";
	if (program->script)
		snprintf(text, DESCRIPTION_SIZE, "script of %s, %s%s%s", program->inspected, executable, comma, loss);
	else snprintf(text, DESCRIPTION_SIZE, "%s%s%s", executable, comma, loss);
}

static enum way suited(const struct program *program) {
	if (*program->starter.loss) return WAY_SECCOMP;
	if (takes_godebug(program)) return WAY_GO;
	return calls_libc(program) ? WAY_PRELOAD : WAY_SECCOMP;
}

__attribute__((format(printf, 2, 3))) static void obstruct(struct decision *decision, const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(decision->remark, sizeof decision->remark, format, arguments);
	va_end(arguments);
	decision->way = WAY_NONE;
}

void decide(const struct program *program, enum how how, bool strict, const char *library,
            struct decision *decision) {
	static const enum way asked[] = {[HOW_PRELOAD] = WAY_PRELOAD, [HOW_SECCOMP] = WAY_SECCOMP, [HOW_BPF] = WAY_BPF};
	const char *problem = library_problem(library);
	char privilege[sizeof program->privileged];
	decision->way = how == HOW_AUTO ? suited(program) : asked[how];
	decision->library = problem ? NULL : library;
	decision->remark[0] = '\0';
	const char *loss = program->starter.loss;
	if (decision->way == WAY_BPF && !program->starter.elsewhere) return;

	bool gains = gains_privilege(program->inspected, privilege, sizeof privilege);
	/* Of what it starts only no_new_privs takes anything. */
	bool gains_later = !gains && decision->way == WAY_SECCOMP && *program->privileged && getuid() != 0;
	if (gains_later) strcpy(privilege, program->privileged);
	if (program->readable && program->executable.linkage == LINKAGE_FOREIGN)
		obstruct(decision, "neither the library nor the seccomp filter is for its architecture");
	else if (program->starter.elsewhere)
		obstruct(decision, "%s: put `mptcpize run` directly before the program", loss);
	else if (decision->way == WAY_SECCOMP && how == HOW_AUTO && (gains || gains_later) && *loss)
		obstruct(decision, "%s, and %s: put `mptcpize run` directly before the program", privilege, loss);
	else if (decision->way == WAY_SECCOMP && how == HOW_AUTO && gains)
		obstruct(decision, "%s: no_new_privs would take that from it", privilege);
	else if (decision->way == WAY_PRELOAD && gains)
		obstruct(decision, "%s: the loader ignores LD_PRELOAD", privilege);
	else if (decision->way == WAY_PRELOAD && strict && suited(program) != WAY_PRELOAD)
		obstruct(decision, "LD_PRELOAD does not reach it");
	else if (decision->way == WAY_PRELOAD && strict && !program->readable)
		obstruct(decision, "it may not be read, so whether LD_PRELOAD reaches it is unknown");
	else if (decision->way == WAY_PRELOAD && problem)
		obstruct(decision, *library ? "the library %s: %s" : "%s%s", library, problem);
	else if (decision->way == WAY_GO && problem)
		snprintf(decision->remark, sizeof decision->remark,
		         *library ? "the library %s: %s: only Go programs are converted"
		                  : "%s%s: only Go programs are converted",
		         library, problem);
	else if (decision->way == WAY_PRELOAD && *loss)
		snprintf(decision->remark, sizeof decision->remark, "%s: the program is not converted", loss);
	else if (decision->way == WAY_PRELOAD && suited(program) == WAY_SECCOMP)
		snprintf(decision->remark, sizeof decision->remark, "LD_PRELOAD reaches only programs that it starts");
}
