#define _GNU_SOURCE
#include "answer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1) /* Linux 5.14 */
#endif

/* Sends the answer: a value, or (by flag) that the kernel go on with the call as if there were no filter. */
static void send_answer(const struct supervision *supervision, int value, uint32_t flags) {
	union {
		struct seccomp_notif_resp response;
		char room[256];
	} answer = {.room = {0}};
	answer.response = (struct seccomp_notif_resp){
		.id = supervision->in_flight->request.id, .val = value, .flags = flags};
	/* It can only fail where nobody waits any more. */
	ioctl(supervision->listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

/*
 * The caller's directory in /proc: a file descriptor, or -1. As long as its call waits, what is read in there is the
 * caller's; that it still waits is asked after opening, as its id may have passed to another process.
 */
static int open_caller(const struct supervision *supervision) {
	const struct seccomp_notif *request = &supervision->in_flight->request;
	uint64_t id = request->id;
	char path[16];
	snprintf(path, sizeof path, "%u", request->pid);
	int caller = openat(supervision->proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (caller < 0 || ioctl(supervision->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0) return caller;
	close(caller);
	return -1;
}

/*
 * A number for the network namespace of a process, by its directory in /proc, or 0. Each namespace has files of its
 * own in /proc/PID/net. For ns/net, which says the same, one needs the right to trace the process (fs/proc/proc_net.c,
 * namespaces.c): a daemon that has given up root denies that to a supervisor without CAP_SYS_PTRACE.
 */
static ino_t network_of(int process) {
	struct stat file;
	return fstatat(process, "net/dev", &file, 0) < 0 ? 0 : file.st_ino;
}

static bool enter_network_of(int caller) {
	int network = openat(caller, "ns/net", O_RDONLY | O_CLOEXEC);
	int user = openat(caller, "ns/user", O_RDONLY | O_CLOEXEC);
	if (setns(network, CLONE_NEWNET) == 0) return true;
	/* To who made that user namespace, as the user who started us may have, it gives the right. */
	return setns(user, CLONE_NEWUSER) == 0 && setns(network, CLONE_NEWNET) == 0;
}

static bool take_id(int set(unsigned id), unsigned id) {
	/* They give what was before; an id that does not exist changes nothing (setfsuid(2)). */
	if ((unsigned)set(-1) != id) set(id);
	return (unsigned)set(-1) == id;
}

/*
 * Sockets belong to the ids of who makes them, by which firewalls and diag tell them apart. The directory of a process
 * always has its effective ids (fs/proc/base.c, task_dump_owner), and file system ids that differ are history.
 */
static bool take_ids_of(int caller) {
	struct stat directory;
	return fstat(caller, &directory) == 0 && take_id(setfsgid, directory.st_gid) &&
	       take_id(setfsuid, directory.st_uid);
}

/* The lines of libmptcpwrap.so. */
static void report_attempt(const struct supervision *supervision, int protocol, int fd) {
	const __u64 *args = supervision->in_flight->request.data.args;
	if (supervision->debug)
		dprintf(STDERR_FILENO,
			"mptcpwrap: changing socket protocol from 0x%x to 0x%x (%s) for family 0x%x type 0x%x fd %d\n",
			(int)args[2], protocol, supervision->to_tcp ? "IPPROTO_TCP" : "IPPROTO_MPTCP", (int)args[0],
			(int)args[1], fd);
}

static void report_refusal(const struct supervision *supervision, int protocol, int error) {
	const __u64 *args = supervision->in_flight->request.data.args;
	report_attempt(supervision, protocol, -1);
	if (supervision->debug)
		dprintf(STDERR_FILENO,
			"mptcpwrap: refused with errno %d, keeping socket protocol 0x%x for family 0x%x type 0x%x\n",
			error, (int)args[2], (int)args[0], (int)args[1]);
}

/* Puts the socket among the caller's files and answers with its number there: that, or -1. */
static int give(const struct supervision *supervision, int socket, bool close_on_exec) {
	struct seccomp_notif_addfd addfd = {
		.id = supervision->in_flight->request.id,
		.srcfd = socket,
		.newfd_flags = close_on_exec ? O_CLOEXEC : 0,
		/*
		 * In one step, lest a signal between the two take the caller back to its call, with a file too many.
		 * Else better in two: were we killed within the one, the caller would get a 0 that means nothing
		 * (kernel/seccomp.c, seccomp_notify_addfd takes back the file but not the reply).
		 */
		.flags = supervision->restartable ? SECCOMP_ADDFD_FLAG_SEND : 0,
	};
	int fd = ioctl(supervision->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd);
	if (fd >= 0 && !supervision->restartable) send_answer(supervision, fd, 0);
	return fd;
}

/* Answers with a socket that is made in this process' network namespace. */
static bool answer_with_socket(const struct supervision *supervision, int caller) {
	struct in_flight *in_flight = supervision->in_flight;
	int family = (int)in_flight->request.data.args[0], type = (int)in_flight->request.data.args[1];
	int protocol = supervision->to_tcp ? IPPROTO_TCP : IPPROTO_MPTCP;
	if (!take_ids_of(caller)) return false;
	int made = socket(family, type | SOCK_CLOEXEC, protocol);
	if (made < 0) {
		report_refusal(supervision, protocol, errno);
		return false;
	}
	struct stat file;
	if (fstat(made, &file) == 0) in_flight->socket = file.st_ino;
	int fd = give(supervision, made, type & SOCK_CLOEXEC);
	close(made);
	if (fd >= 0) report_attempt(supervision, protocol, fd);
	return fd >= 0;
}

/* Answers with a socket of the caller's namespace, from a process that does not return from there. */
static bool answer_from_network_of(const struct supervision *supervision, int caller) {
	pid_t visitor = fork();
	if (visitor == 0) _exit(enter_network_of(caller) && answer_with_socket(supervision, caller) ? 0 : 1);
	int status;
	return visitor > 0 && waitpid(visitor, &status, 0) == visitor && status == 0;
}

static bool answer_as_wanted(const struct supervision *supervision, int caller) {
	ino_t network = network_of(caller);
	if (network == 0) return false;
	if (network != supervision->network) return answer_from_network_of(supervision, caller);
	return answer_with_socket(supervision, caller);
}

void answer(const struct supervision *supervision) {
	memset(supervision->in_flight, 0, sizeof *supervision->in_flight);
	/* The caller may have been killed meanwhile. */
	if (ioctl(supervision->listener, SECCOMP_IOCTL_NOTIF_RECV, &supervision->in_flight->request) < 0) return;
	int caller = open_caller(supervision);
	/* Never worse than without us: the caller makes its own socket, or gets the error of doing so. */
	if (caller < 0 || !answer_as_wanted(supervision, caller))
		send_answer(supervision, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
	if (caller >= 0) close(caller);
}

/* The number that a socket has among the caller's files, or -1. */
static int find_socket(int caller, ino_t socket) {
	int directory = openat(caller, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = -1;
	DIR *files = directory < 0 ? NULL : fdopendir(directory);
	if (!files) return -1; /* This process has few files, and so short a life that one more does not matter. */
	for (struct dirent *entry; found < 0 && (entry = readdir(files));) {
		struct stat file;
		if (fstatat(directory, entry->d_name, &file, 0) == 0 && S_ISSOCK(file.st_mode) && file.st_ino == socket)
			found = atoi(entry->d_name);
	}
	closedir(files);
	return found;
}

void answer_left_over(const struct supervision *supervision) {
	/* Not made anew: what has killed one worker shall not kill the next. */
	ino_t socket = supervision->in_flight->socket;
	int caller = open_caller(supervision);
	int fd = caller < 0 || socket == 0 ? -1 : find_socket(caller, socket);
	if (fd >= 0) send_answer(supervision, fd, 0);
	else send_answer(supervision, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
	if (caller >= 0) close(caller);
}

/* Whether a /proc is that of our pid namespace, from which the listener's process ids are. */
static bool is_own(int proc) {
	char self[16] = "";
	return readlinkat(proc, "self", self, sizeof self - 1) > 0 && atoi(self) == getpid();
}

int prepare_answers(struct supervision *supervision, const char **step) {
	struct seccomp_notif_sizes sizes;
	*step = "seccomp";
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0) return -errno;
	if (sizes.seccomp_notif > sizeof supervision->in_flight->room) return -EOVERFLOW;
	*step = "/proc";
	supervision->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (supervision->proc < 0) return -errno;
	if (!is_own(supervision->proc)) return -ESRCH;
	int self = openat(supervision->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	supervision->network = network_of(self);
	close(self);
	if (supervision->network == 0) return -ENOENT;
	*step = "mmap";
	supervision->in_flight = mmap(NULL, sizeof *supervision->in_flight, PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return supervision->in_flight == MAP_FAILED ? -errno : 0;
}
