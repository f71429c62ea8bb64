#include "installation.h"
#include "executable.h"
#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Packages put them elsewhere. */
#ifndef MPTCPIZE_PRELOAD
#define MPTCPIZE_PRELOAD NULL
#endif
#ifndef MPTCPIZE_SCRIPT
#define MPTCPIZE_SCRIPT NULL
#endif
#ifndef MPTCPIZE_NODE
#define MPTCPIZE_NODE "node"
#endif

#define UNKNOWN_PLACE "mptcpize cannot find its own files, as /proc is not mounted: mount it first"

static const char *beside(const char *launcher, const char *name) {
	const char *slash = strrchr(launcher, '/');
	/* Never that of the working directory. */
	if (!slash) return "";
	int directory = slash + 1 - launcher;
	size_t size = directory + strlen(name) + 1;
	char *path = allocate(size);
	snprintf(path, size, "%.*s%s", directory, launcher, name);
	return path;
}

struct installation find_installation(void) {
	static char launcher[PATH_MAX];
	struct installation installation = {.launcher = launcher};
	ssize_t length = readlink("/proc/self/exe", launcher, sizeof launcher - 1);
	launcher[length > 0 ? length : 0] = '\0';
	installation.node = getenv("MPTCPD_NODE");
	if (!installation.node || !*installation.node) installation.node = MPTCPIZE_NODE;
	installation.library = MPTCPIZE_PRELOAD;
	if (!installation.library) installation.library = beside(launcher, "libmptcpwrap.so");
	installation.script = MPTCPIZE_SCRIPT;
	if (!installation.script) installation.script = beside(launcher, "mptcpize.js");
	return installation;
}

const char *library_problem(const char *library) {
	/* LD_PRELOAD has no way to quote them: ld.so(8) splits at some and replaces $LIB; musl splits at all blanks. */
	if (strpbrk(library, " :$\t\n\v\f\r")) return "LD_PRELOAD cannot carry a path with a blank, colon or dollar sign";
	if (!*library) return UNKNOWN_PLACE;
	int fd = open(library, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return strerror(errno);
	struct executable content;
	bool fits = read_executable(fd, &content) == 0 && content.linkage != LINKAGE_FOREIGN;
	close(fd);
	return fits ? NULL : "not a library for this machine";
}

void execute_node(const struct installation *installation, char *const arguments[]) {
	if (!*installation->script) fail(EXIT_REFUSED, UNKNOWN_PLACE);
	if (access(installation->script, R_OK) < 0)
		fail(EXIT_NOT_FOUND, "%s: %s: run `npm run build`", installation->script, strerror(errno));
	size_t count = 0;
	while (arguments[count]) count++;
	const char **command = allocate((count + 3) * sizeof *command);
	command[0] = installation->node;
	command[1] = installation->script;
	memcpy(command + 2, arguments, (count + 1) * sizeof *command);
	setenv("MPTCPIZE_LAUNCHER", installation->launcher, 1);
	execvp(installation->node, (char *const *)command);
	fail(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTED,
	     "%s: %s: all but `mptcpize run` needs Node.js (MPTCPD_NODE names another)", installation->node, strerror(errno));
}
