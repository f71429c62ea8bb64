/*
 * mptcpize run: makes a program use MPTCP where it asks for TCP, by the way that suits it, and becomes that program.
 * What the way needs is all that is changed for it: process, open files, signals, limits and directory are the same.
 * Every other command is Node's (src/programs/mptcpize).
 */
#define _GNU_SOURCE
#include "cgroup.h"
#include "environment.h"
#include "escape.h"
#include "installation.h"
#include "kernel.h"
#include "message.h"
#include "options.h"
#include "program.h"
#include "seccomp.h"
#include "way.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A variable of the program's environment; NULL takes it out. */
struct variable {
	const char *name;
	const char *value;
};

enum { MAX_VARIABLES = 5 };

/*
 * Where the kernel converts, the library of an outer `mptcpize run` must not: its own sockets, of TCP and of MPTCP, would
 * be converted or taken for the program's wish.
 */
static size_t variables_without_library(struct variable *variables) {
	const char *preload = getenv("LD_PRELOAD");
	size_t count = 0;
	if (!preload || !strstr(preload, "libmptcpwrap.so")) return 0;
	variables[count++] = (struct variable){"LD_PRELOAD", preload_without_library(preload)};
	if (getenv("MPTCPWRAP_OFF")) variables[count++] = (struct variable){"MPTCPWRAP_OFF", NULL};
	if (getenv("MPTCPWRAP_OPTIONS")) variables[count++] = (struct variable){"MPTCPWRAP_OPTIONS", NULL};
	return count;
}

static bool uses_variables(const struct decision *decision) {
	return decision->way == WAY_PRELOAD || decision->way == WAY_GO;
}

/* What a program gets by the preload and Go ways: both, so that what it starts is converted as well. */
static size_t variables_of(const struct decision *decision, const struct options *options,
                           struct variable *variables) {
	size_t count = 0;
	if (decision->way == WAY_SECCOMP || decision->way == WAY_BPF) return variables_without_library(variables);
	if (!uses_variables(decision)) return 0;
	if (decision->library)
		variables[count++] =
			(struct variable){"LD_PRELOAD", merged_preload(getenv("LD_PRELOAD"), decision->library)};
	const char *setting = options->off ? "multipathtcp=0" : "multipathtcp=1";
	variables[count++] = (struct variable){"GODEBUG", merged_godebug(getenv("GODEBUG"), setting)};
	if (options->debug) variables[count++] = (struct variable){"MPTCPWRAP_DEBUG", "1"};
	if (options->off) variables[count++] = (struct variable){"MPTCPWRAP_OFF", "1"};
	else if (getenv("MPTCPWRAP_OFF")) variables[count++] = (struct variable){"MPTCPWRAP_OFF", NULL};
	if (options->policy != OPTIONS_TOLERATE)
		variables[count++] = (struct variable){"MPTCPWRAP_OPTIONS", option_policy_name(options->policy)};
	else if (getenv("MPTCPWRAP_OPTIONS")) variables[count++] = (struct variable){"MPTCPWRAP_OPTIONS", NULL};
	return count;
}

/* "KEY: PREFIX VALUE", without the blank between these two */
static void print(const char *key, const char *prefix, const char *value) {
	if (strchr(value, '\n')) fail(EXIT_REFUSED, "the line break in %s: %s cannot be shown", key, prefix);
	/* Programs get the paths as they are. */
	char copy[8 * PATH_MAX];
	if (isatty(STDOUT_FILENO)) {
		escape(copy, sizeof copy, value);
		value = copy;
	}
	printf("%s: %s%s\n", key, prefix, value);
}

/* For people, and for src/services/launcher.ts, which reads it. */
static void show(const struct program *program, const struct options *options, const struct decision *decision) {
	char why[DESCRIPTION_SIZE];
	describe_program(program, why);
	print("way", "", way_name(decision->way));
	print("program", "", program->inspected);
	print("why", "", why);
	struct variable variables[MAX_VARIABLES];
	size_t count = variables_of(decision, options, variables);
	for (size_t i = 0; i < count; i++) {
		char prefix[32];
		snprintf(prefix, sizeof prefix, variables[i].value ? "%s=" : "%s", variables[i].name);
		print(variables[i].value ? "set" : "unset", prefix, variables[i].value ? variables[i].value : "");
	}
}

static void set_variables(const struct decision *decision, const struct options *options) {
	struct variable variables[MAX_VARIABLES];
	size_t count = variables_of(decision, options, variables);
	for (size_t i = 0; i < count; i++) {
		/* An environment may have a name twice; setenv(3) would leave the second. */
		unsetenv(variables[i].name);
		if (variables[i].value && setenv(variables[i].name, variables[i].value, 1) < 0)
			fail(EXIT_REFUSED, "out of memory");
	}
}

/* The variables as they are now: what changes them later may change the array itself. */
static char **copy_of_environment(void) {
	size_t count = 0;
	while (environ && environ[count]) count++;
	char **copy = allocate((count + 1) * sizeof *copy);
	if (count > 0) memcpy(copy, environ, count * sizeof *copy);
	copy[count] = NULL;
	return copy;
}

static void warn(const struct options *options, const char *path, const char *warning, const char *consequence) {
	char line[2 * PATH_MAX + 256];
	snprintf(line, sizeof line, "%s: %s%s", path, warning, consequence);
	if (options->dry_run) print("warning", "", line);
	else say("%s", line);
}

/* Scripts must not break: without --strict, only a way that was asked for by its name has to work. */
static void leave_unconverted(const struct program *program, const struct options *options, const char *obstacle) {
	if (options->strict || options->how != HOW_AUTO) fail(EXIT_REFUSED, "%s: %s", program->inspected, obstacle);
	warn(options, program->inspected, obstacle, options->off ? ", it runs unchanged" : ", it runs as TCP");
}

/* False: the program runs on unconverted. */
static bool put_under_seccomp(const struct program *program, const struct options *options) {
	struct conversion conversion = {
		.to_tcp = options->off, .debug = options->debug, .policy = options->policy};
	bool no_new_privs = false;
	const char *step = "";
	int error = convert_by_seccomp(&conversion, &no_new_privs, &step);
	/* Another filter is in force, whose supervisor may do the same. */
	if (error == -EBUSY && kernel_gives(options->off ? IPPROTO_MPTCP : 0, options->off ? IPPROTO_TCP : IPPROTO_MPTCP))
		return true;
	if (error) {
		char reason[256];
		snprintf(reason, sizeof reason, "no seccomp supervisor: %s: %s", step, strerror(-error));
		leave_unconverted(program, options, reason);
	} else if (no_new_privs && options->debug) {
		say("%s: no_new_privs had to be set: setuid programs that it starts (sudo, ping) gain no privilege",
		    program->path);
	}
	return !error;
}

static void put_under_bpf(const struct installation *installation, const struct options *options) {
	const char *step = "";
	bool refuse = options->policy == OPTIONS_REFUSE;
	int result = convert_by_bpf(installation->node, installation->script, options->debug, refuse, &step);
	if (result == EXIT_NOT_FOUND) fail(EXIT_REFUSED, "%s was not found: --how=bpf needs Node.js", installation->node);
	if (result > 0) exit(EXIT_REFUSED); /* Node has said why. */
	if (result < 0) fail(EXIT_REFUSED, "--how=bpf: %s: %s", step, strerror(-result));
}


static void say_what_is_done(const struct program *program, const struct options *options,
                             const struct decision *decision) {
	char why[DESCRIPTION_SIZE];
	describe_program(program, why);
	say("%s: %s: %s", program->path, why, way_name(decision->way));
	const char *refusal = options->off ? NULL : kernel_refusal();
	if (refusal) say("%s: sockets are TCP", refusal);
}

static enum exit_code code_of(int error) {
	return error == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTED;
}

/*
 * As execvp(3): what the kernel does not know is for the shell. `original` is the environment as it was, NULL if it was
 * not changed.
 */
static void execute(const struct program *program, const struct options *options, char **original) {
	char **arguments = options->command;
	arguments[0] = options->argv0;
	execve(program->path, arguments, environ);
	if (errno == E2BIG && original) {
		leave_unconverted(program, options, "its environment has no room for more");
		environ = original;
		execve(program->path, arguments, environ);
	}
	if (errno == ENOEXEC) {
		size_t count = 0;
		while (arguments[count]) count++;
		const char **shell = allocate((count + 2) * sizeof *shell);
		shell[0] = "/bin/sh";
		shell[1] = program->path;
		memcpy(shell + 2, arguments + 1, count * sizeof *shell);
		execve(shell[0], (char *const *)shell, environ);
	}
	fail(code_of(-errno), "%s: %s", program->path, strerror(errno));
}

static void run(const struct installation *installation, const struct options *options) {
	static struct program program;
	int error = find_program(options->command, &program);
	if (error && strcmp(program.inspected, program.path) != 0)
		fail(code_of(error), "%s: its interpreter %s: %s", program.path, program.inspected, strerror(-error));
	if (error) fail(code_of(error), "%s: %s", program.path, strerror(-error));

	if (options->off && options->how == HOW_BPF) fail(EXIT_REFUSED, "bpf cannot force TCP");
	struct decision decision;
	decide(&program, options->how, options->strict, installation->library, &decision);
	const char *refusal = options->strict && !options->off ? kernel_refusal() : NULL;
	if (refusal) fail(EXIT_REFUSED, "%s: %s", program.inspected, refusal);
	if (options->dry_run) show(&program, options, &decision);
	else if (options->debug) say_what_is_done(&program, options, &decision);
	if (decision.way == WAY_NONE) leave_unconverted(&program, options, decision.remark);
	else if (*decision.remark) warn(options, program.inspected, decision.remark, "");
	if (options->dry_run) {
		if (fflush(stdout) != 0 || ferror(stdout)) fail(EXIT_REFUSED, "standard output: %s", strerror(errno));
		return;
	}

	char **original = uses_variables(&decision) ? copy_of_environment() : NULL;
	/* Where it fails, the library of an outer `mptcpize run` goes on converting. */
	if (decision.way != WAY_SECCOMP || put_under_seccomp(&program, options)) set_variables(&decision, options);
	if (decision.way == WAY_BPF) put_under_bpf(installation, options);
	execute(&program, options, original);
}

int main(int argc, char *argv[]) {
	struct installation installation = find_installation();
	if (argc < 2 || strcmp(argv[1], "run") != 0) execute_node(&installation, argv + (argc > 0));
	struct options options = parse_options(argc - 1, argv + 1);
	if (options.help) execute_node(&installation, (char *[]){"run", "--help", NULL});
	run(&installation, &options);
	return EXIT_SUCCESS;
}
