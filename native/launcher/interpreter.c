#include "interpreter.h"

#include <string.h>

static const char blanks[] = " \t";

/* The length of the option by which env(1) splits the rest of its argument: "-S", "-vS", "-iS", the long form; or 0. */
static size_t split_option(const char *argument, bool *clears_environment) {
	static const char whole[] = "--split-string=";
	if (strncmp(argument, whole, strlen(whole)) == 0) return strlen(whole);
	if (argument[0] != '-') return 0;
	size_t letters = strspn(argument + 1, "iv");
	if (argument[1 + letters] != 'S') return 0;
	*clears_environment = memchr(argument + 1, 'i', letters) != NULL;
	return letters + 2;
}

/*
 * What env(1) makes of its one argument: the name of a program, or after -S (--split-string) words: options,
 * assignments, then that name. Quotes are left to env: a name in quotes is not found, and env itself is looked at.
 */
static void parse_env_argument(char *argument, struct interpreter *interpreter) {
	size_t skipped = split_option(argument, &interpreter->clears_environment);
	if (!skipped) {
		strcpy(interpreter->name, argument);
		return;
	}
	char *rest, *word = strtok_r(argument + skipped, blanks, &rest);
	for (; word; word = strtok_r(NULL, blanks, &rest)) {
		if (strcmp(word, "-i") == 0 || strcmp(word, "-") == 0 || strcmp(word, "--ignore-environment") == 0)
			interpreter->clears_environment = true;
		else if (strcmp(word, "-u") == 0 || strcmp(word, "-C") == 0)
			strtok_r(NULL, blanks, &rest); /* the option's argument */
		else if (word[0] != '-' && !strchr(word, '=')) {
			strcpy(interpreter->name, word);
			return;
		}
	}
}

bool parse_script_line(const char *start, size_t size, struct interpreter *interpreter) {
	char line[SCRIPT_LINE_SIZE + 1];
	if (size > SCRIPT_LINE_SIZE) size = SCRIPT_LINE_SIZE;
	if (size < 2 || start[0] != '#' || start[1] != '!') return false;
	memcpy(line, start + 2, size - 2);
	line[size - 2] = '\0';
	char *end = strchr(line, '\n');
	bool complete = end || size < SCRIPT_LINE_SIZE;
	if (end) *end = '\0';

	char *path = line + strspn(line, blanks);
	char *argument = path + strcspn(path, blanks);
	/* The kernel cuts a long argument short, but not the interpreter's path. */
	if (!*path || (!complete && !*argument)) return false;
	if (*argument) *argument++ = '\0';
	argument += strspn(argument, blanks);
	for (char *last = argument + strlen(argument); last > argument && strchr(blanks, last[-1]);) *--last = '\0';

	memset(interpreter, 0, sizeof *interpreter);
	strcpy(interpreter->path, path);
	const char *slash = strrchr(path, '/');
	if (*argument && strcmp(slash ? slash + 1 : path, "env") == 0) parse_env_argument(argument, interpreter);
	return true;
}
