#include "options.h"
#include "message.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEE_HELP "see `mptcpize run --help`"

static enum how parse_how(const char *text) {
	static const char *const names[] = {
		[HOW_AUTO] = "auto", [HOW_PRELOAD] = "preload", [HOW_SECCOMP] = "seccomp", [HOW_BPF] = "bpf",
	};
	for (size_t how = 0; how < sizeof names / sizeof *names; how++)
		if (strcmp(text, names[how]) == 0) return how;
	fail(EXIT_USAGE, "--how=%.60s is unknown: allowed are auto, preload, seccomp, bpf", text);
}

const char *option_policy_name(enum option_policy policy) {
	static const char *const names[] = {
		[OPTIONS_TOLERATE] = "tolerate", [OPTIONS_TCP] = "tcp", [OPTIONS_REFUSE] = "refuse",
	};
	return names[policy];
}

static enum option_policy parse_policy(const char *text) {
	for (enum option_policy policy = OPTIONS_TOLERATE; policy <= OPTIONS_REFUSE; policy++)
		if (strcmp(text, option_policy_name(policy)) == 0) return policy;
	fail(EXIT_USAGE, "--options=%.60s is unknown: allowed are tolerate, tcp, refuse", text);
}

static void put_variable(char *assignment) {
	if (assignment[0] == '=' || !strchr(assignment, '=')) fail(EXIT_USAGE, "--env=%.60s is not NAME=VALUE", assignment);
	if (putenv(assignment) != 0) fail(EXIT_REFUSED, "out of memory");
}

struct options parse_options(int argc, char *argv[]) {
	enum { HOW = 256, OFF, STRICT, ARGV0, DRY_RUN, ENV, OPTIONS };
	static const struct option known[] = {
		{"how", required_argument, NULL, HOW},
		{"off", no_argument, NULL, OFF},
		{"strict", no_argument, NULL, STRICT},
		{"argv0", required_argument, NULL, ARGV0},
		{"dry-run", no_argument, NULL, DRY_RUN},
		{"env", required_argument, NULL, ENV},
		{"options", required_argument, NULL, OPTIONS},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct options options = {0};
	bool has_variables = false;
	opterr = 0;
	for (;;) {
		const char *word = argv[optind];
		/* "+": what follows the program's name is the program's. */
		int option = getopt_long(argc, argv, "+:dh", known, NULL);
		if (option == -1) break;
		switch (option) {
		case 'd': options.debug = true; break;
		case 'h': options.help = true; break;
		case HOW: options.how = parse_how(optarg); break;
		case OPTIONS: options.policy = parse_policy(optarg); break;
		case OFF: options.off = true; break;
		case STRICT: options.strict = true; break;
		case ARGV0: options.argv0 = optarg; break;
		case DRY_RUN: options.dry_run = true; break;
		case ENV:
			put_variable(optarg);
			has_variables = true;
			break;
		case ':': fail(EXIT_USAGE, "option '%s' needs an argument: " SEE_HELP, word);
		default:
			if (optopt == '?') options.help = true;
			else if (word[1] != '-' && optopt > 0) fail(EXIT_USAGE, "unrecognized option '-%c': " SEE_HELP, optopt);
			else fail(EXIT_USAGE, "unrecognized option '%.60s': " SEE_HELP, word);
		}
	}
	if (options.help) return options;
	if (has_variables && !options.dry_run) fail(EXIT_USAGE, "--env is for --dry-run: use env(1)");
	if (optind >= argc) fail(EXIT_NO_COMMAND, "missing command argument: " SEE_HELP);
	options.command = argv + optind;
	if (!*options.command[0]) fail(EXIT_NOT_FOUND, "the name of the program is empty");
	if (!options.argv0) options.argv0 = options.command[0];
	return options;
}
