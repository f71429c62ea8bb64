#define _GNU_SOURCE
#include "cgroup.h"
#include "descriptor.h"
#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The path of the new cgroup, as Node writes it; false if there is none. */
static bool read_path(int fd, char *path, size_t size) {
	size_t length = 0;
	ssize_t count;
	while (length < size - 1 && (count = read(fd, path + length, size - 1 - length)) != 0) {
		if (count > 0)
			length += count;
		else if (errno != EINTR)
			return false;
	}
	path[length] = '\0';
	char *end = strchr(path, '\n');
	if (end) *end = '\0';
	return end != NULL;
}

/* Waits until no process is left in a cgroup, nor in one below it. cgroup.events: Documentation/admin-guide/cgroup-v2.rst */
static void wait_until_empty(const char *cgroup) {
	char path[PATH_MAX + sizeof "/cgroup.events"], text[256];
	snprintf(path, sizeof path, "%s/cgroup.events", cgroup);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return;
	for (;;) {
		ssize_t length = pread(fd, text, sizeof text - 1, 0);
		if (length < 0) break;
		text[length] = '\0';
		if (strstr(text, "populated 0")) break;
		/* Reading has armed the next change, so none is missed. */
		struct pollfd change = {.fd = fd, .events = POLLPRI};
		poll(&change, 1, -1);
	}
	close(fd);
}

static void close_from(int first) {
	if (syscall(SYS_close_range, first, ~0U, 0) == 0) return;
	/* Linux before 5.9 */
	for (int fd = sysconf(_SC_OPEN_MAX); fd >= first; fd--) close(fd);
}

/* Keeps nothing of the program's: not its pipes, its terminal, its directory, its signals. `input` becomes 3. */
static void let_go(int input) {
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "mptcpize-watch");
	setsid();
	if (dup2(input, 3) < 0 || chdir("/") < 0) _exit(EXIT_REFUSED);
	int nothing = open("/dev/null", O_RDWR);
	for (int fd = 0; fd <= 2; fd++)
		if (dup2(nothing, fd) < 0) _exit(EXIT_REFUSED);
	close_from(4);
}

/* Once the cgroup is empty: removes it, and becomes the Node that takes its id out of the program's set. */
static void watch(int input, const char *node, const char *script) {
	char cgroup[PATH_MAX];
	sigset_t none;
	let_go(input);
	if (!read_path(3, cgroup, sizeof cgroup)) return;
	close(3);
	wait_until_empty(cgroup);
	rmdir(cgroup);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execlp(node, node, script, "attach", "--sweep", (char *)NULL);
}

/* In the helper: the exit status of Node. Its output goes to the watcher, which is nobody's child when this ends. */
static int attach(const char *node, const char *script, pid_t program, bool debug, bool refuse_options) {
	char pid[16];
	int channel[2], status;
	snprintf(pid, sizeof pid, "%d", program);
	signal(SIGCHLD, SIG_DFL);
	if (pipe2(channel, O_CLOEXEC) < 0 || move_above_standard_files(channel) < 0) return EXIT_REFUSED;
	pid_t watcher = fork();
	if (watcher < 0) return EXIT_REFUSED;
	if (watcher == 0) {
		close(channel[1]);
		watch(channel[0], node, script);
		_exit(0);
	}
	pid_t child = fork();
	if (child < 0) return EXIT_REFUSED;
	if (child == 0) {
		if (dup2(channel[1], STDOUT_FILENO) < 0) _exit(EXIT_REFUSED);
		const char *words[8] = {node, script, "attach", "--pid", pid};
		size_t count = 5;
		if (debug) words[count++] = "--debug";
		if (refuse_options) words[count++] = "--refuse-options";
		execvp(node, (char *const *)words);
		_exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTED);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR) return EXIT_REFUSED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_REFUSED;
}

int convert_by_bpf(const char *node, const char *script, bool debug, bool refuse_options, const char **step) {
	pid_t self = getpid();
	int status;
	/* No signal at its end: an SIGCHLD that is blocked would wait for the program, one that is ignored hide the status. */
	pid_t helper = syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
	if (helper == 0) _exit(attach(node, script, self, debug, refuse_options));
	*step = "start a process";
	if (helper < 0) return -errno;
	while (waitpid(helper, &status, __WALL) < 0)
		if (errno != EINTR) return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_REFUSED;
}
