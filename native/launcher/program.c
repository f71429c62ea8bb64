#include "program.h"
#include "interpreter.h"
#include "privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 0 if this process may execute the file, else -errno as of execve(2) */
static int executable_error(const char *path) {
	struct stat file;
	if (stat(path, &file) < 0) return -errno;
	if (!S_ISREG(file.st_mode)) return -EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

static int copy_path(const char *directory, size_t length, const char *name, char *path) {
	int size = snprintf(path, PATH_MAX, "%.*s%s%s", (int)length, directory, length > 0 ? "/" : "", name);
	return size < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Errors that leave the next directory of the PATH to be tried, as glibc's execvpe() has them. */
static bool is_passed_over(int error) {
	return error == -EACCES || error == -ENOENT || error == -ESTALE || error == -ENOTDIR || error == -ENODEV ||
	       error == -ETIMEDOUT || error == -ENAMETOOLONG;
}

/* Looks for a command as execvp(3) does. `path` has PATH_MAX bytes. */
static int look_up(const char *name, char *path) {
	copy_path("", 0, name, path);
	if (!*name) return -ENOENT;
	if (strlen(name) >= PATH_MAX) return -ENAMETOOLONG;
	if (strchr(name, '/')) return executable_error(path);
	const char *directories = getenv("PATH");
	if (!directories) directories = "/bin:/usr/bin"; /* confstr(_CS_PATH) */
	int result = -ENOENT;
	for (;;) {
		size_t length = strcspn(directories, ":");
		int error = copy_path(directories, length, name, path);
		if (!error) error = executable_error(path);
		if (!error || !is_passed_over(error)) return error;
		/* That it was found, but must not be executed, is what to say at the end. */
		if (error == -EACCES) result = error;
		if (!directories[length]) break;
		directories += length + 1;
	}
	copy_path("", 0, name, path);
	return result;
}

/* The file that the script's first line leads to. */
static int follow(const struct interpreter *interpreter, char *path) {
	/* If env does not find the name, it will say so. */
	if (*interpreter->name && look_up(interpreter->name, path) == 0) return 0;
	copy_path("", 0, interpreter->path, path);
	return executable_error(path);
}

/* Without its loader, execve(2) of a program fails with an ENOENT that says nothing of it. */
static int loader_error(struct program *program) {
	const char *loader = program->executable.loader;
	if (!*loader || access(loader, F_OK) == 0) return 0;
	copy_path("", 0, loader, program->inspected);
	return -errno;
}

/*
 * One step: an executable, or the way to the interpreter. 1 if there is one; 0 if `inspected` is what runs; -errno.
 */
static int inspect(struct program *program) {
	char start[SCRIPT_LINE_SIZE];
	struct interpreter interpreter;
	int fd = open(program->inspected, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	program->readable = fd >= 0;
	if (fd < 0) return errno == EACCES ? 0 : -errno;
	int error = read_executable(fd, &program->executable);
	ssize_t size = error == -ENOEXEC ? pread(fd, start, sizeof start, 0) : 0;
	close(fd);
	if (!error) return loader_error(program);
	if (error != -ENOEXEC) return error;
	program->script = true;
	/* What the kernel does not know, execvp(3) gives to the shell, and so does this launcher. */
	if (size <= 0 || !parse_script_line(start, size, &interpreter))
		interpreter = (struct interpreter){.path = "/bin/sh"};
	if (interpreter.clears_environment)
		strcpy(program->starter.loss, "its env -i drops all variables");
	error = follow(&interpreter, program->inspected);
	return error ? error : 1;
}

static bool is_command(const char *name) {
	char path[PATH_MAX];
	return look_up(name, path) == 0;
}

/* The first of the commands that a starter starts which gains privilege. */
static void look_at_privileges(struct program *program) {
	char path[PATH_MAX], by[64];
	program->privileged[0] = '\0';
	for (size_t i = 1; i < program->starter.count && !*program->privileged; i++) {
		const char *name = program->starter.commands[i];
		if (look_up(name, path) == 0 && gains_privilege(path, by, sizeof by))
			snprintf(program->privileged, sizeof program->privileged, "%.60s: %s", name, by);
	}
}

int find_program(char *const command[], struct program *program) {
	enum { DEEPEST = 5 }; /* interpreters in a row that exec_binprm() in the kernel's fs/exec.c follows */
	program->script = program->executable.go = false;
	program->executable.go_minor = 0;
	look_at_starter(command, is_command, &program->starter);
	look_at_privileges(program);
	int error = look_up(command[0], program->path);
	strcpy(program->inspected, program->path);
	if (error) return error;
	for (int depth = 0; depth <= DEEPEST; depth++) {
		int step = inspect(program);
		if (step <= 0) return step;
	}
	return -ELOOP;
}
