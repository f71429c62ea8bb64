#include "starter.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum effect {
	KEEPS,      /* hands our variables on */
	CLEARS,     /* the environment, or what is ours of it */
	HIDES,      /* the library's file, by another root directory or other mounts */
	ELSEWHERE,  /* asks another process to start the program */
};

/*
 * A command, what it does if one of its options is among these, and what it does else. "x" stands for -x, also amid
 * others ("-vx"), "--x" for --x and --x=VALUE. NULL: whatever its options are.
 */
struct known {
	const char *name;
	const char *options;
	enum effect with, without;
};

static const struct known known[] = {
	{"sudo", NULL, CLEARS, KEEPS},
	{"su", NULL, CLEARS, KEEPS},
	{"doas", NULL, CLEARS, KEEPS},
	{"pkexec", NULL, CLEARS, KEEPS},
	{"runuser", NULL, CLEARS, KEEPS},
	{"env", "i --ignore-environment", CLEARS, KEEPS},
	{"setpriv", "--reset-env", CLEARS, KEEPS},
	{"chroot", NULL, HIDES, KEEPS},
	{"nsenter", "a m r --all --mount --root", HIDES, KEEPS},
	{"unshare", "R --root", HIDES, KEEPS},
	{"bwrap", NULL, HIDES, KEEPS},
	{"systemd-run", "--scope", KEEPS, ELSEWHERE},
	{"run0", NULL, ELSEWHERE, KEEPS},
	{"machinectl", NULL, ELSEWHERE, KEEPS},
	{"docker", NULL, ELSEWHERE, KEEPS},
	{"podman", NULL, ELSEWHERE, KEEPS},
	{"at", NULL, ELSEWHERE, KEEPS},
	{"batch", NULL, ELSEWHERE, KEEPS},
	/* Behind these another of them may stand. */
	{"nice", "", KEEPS, KEEPS},
	{"nohup", "", KEEPS, KEEPS},
	{"timeout", "", KEEPS, KEEPS},
	{"setsid", "", KEEPS, KEEPS},
	{"stdbuf", "", KEEPS, KEEPS},
	{"ionice", "", KEEPS, KEEPS},
	{"chrt", "", KEEPS, KEEPS},
	{"taskset", "", KEEPS, KEEPS},
	{"prlimit", "", KEEPS, KEEPS},
	{"choom", "", KEEPS, KEEPS},
	{"numactl", "", KEEPS, KEEPS},
	{"time", "", KEEPS, KEEPS},
};

static const char *base_name(const char *path) {
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static const struct known *find_known(const char *command) {
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(base_name(command), known[i].name) == 0) return &known[i];
	return NULL;
}

/* Whether an argument is, or has among others, this option. */
static bool is_option(const char *argument, const char *option, size_t length) {
	if (length > 1)
		return strncmp(argument, option, length) == 0 && (argument[length] == '\0' || argument[length] == '=');
	if (argument[0] != '-' || argument[1] == '-') return false;
	/* Letters that take a value end a group of letters. What follows one here is seldom this letter. */
	for (const char *letter = argument + 1; isalnum((unsigned char)*letter); letter++)
		if (*letter == *option) return true;
	return false;
}

static bool is_among(const char *argument, const char *options) {
	for (const char *option = options; *option;) {
		size_t length = strcspn(option, " ");
		if (is_option(argument, option, length)) return true;
		option += length + (option[length] == ' ');
	}
	return false;
}

/* env(1) knows some more ways. */
static bool drops_variables(char *const *argument) {
	static const char *const ours[] = {"LD_PRELOAD", "GODEBUG"};
	if (strcmp(*argument, "-") == 0) return true;
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
		const char *value = strstr(*argument, ours[i]);
		if (value && (strncmp(*argument, "-u", 2) == 0 || strncmp(*argument, "--unset=", 8) == 0)) return true;
		if (strcmp(*argument, "-u") == 0 && argument[1] && strcmp(argument[1], ours[i]) == 0) return true;
	}
	/* The words of env -S are not taken apart but for this. */
	bool splits = strncmp(*argument, "-S", 2) == 0 || strncmp(*argument, "--split-string", 14) == 0;
	const char *words = splits && argument[1] && strlen(*argument) == 2 ? argument[1] : *argument;
	return splits && (strstr(words, "-i") || strstr(words, "--ignore-environment"));
}

/* Gives the word that is the next command, or NULL at the end, and what the options before it do. */
static char *const *pass_options(char *const *command, const struct known *it, bool is_command(const char *),
                                 enum effect *effect) {
	*effect = it->options ? it->without : it->with;
	bool env = strcmp(it->name, "env") == 0;
	for (char *const *word = command + 1; *word; word++) {
		if (strcmp(*word, "--") == 0) return word[1] ? word + 1 : NULL;
		bool option = (*word)[0] == '-';
		if (it->options && is_among(*word, it->options)) *effect = it->with;
		if (env && drops_variables(word)) *effect = CLEARS;
		/* Values of options and operands ("timeout 5") stand between; assignments may be of LD_PRELOAD. */
		if (!option && !strchr(*word, '=') && is_command(*word)) return word;
	}
	return NULL;
}

void look_at_starter(char *const command[], bool is_command(const char *name), struct starter *starter) {
	static const char *const losses[] = {
		[KEEPS] = "",
		[CLEARS] = "clears the environment",
		[HIDES] = "hides the library",
		[ELSEWHERE] = "has another process start the program",
	};
	const size_t most = sizeof starter->commands / sizeof *starter->commands;
	*starter = (struct starter){.count = 0};
	while (command && *command && starter->count < most) {
		const struct known *it = find_known(*command);
		starter->commands[starter->count++] = *command;
		if (!it) return;
		enum effect effect;
		command = pass_options(command, it, is_command, &effect);
		if (effect == KEEPS) continue;
		/* What clears the environment may still be followed by worse. */
		snprintf(starter->loss, sizeof starter->loss, "%s %s", it->name, losses[effect]);
		starter->elsewhere = effect == ELSEWHERE;
		if (starter->elsewhere) return;
	}
}
