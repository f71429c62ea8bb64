#define _GNU_SOURCE
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union descriptor_message {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr header;
};

int send_descriptor(int channel, int number, int fd) {
	union descriptor_message control = {.room = {0}};
	struct iovec payload = {.iov_base = &number, .iov_len = sizeof number};
	struct msghdr message = {.msg_iov = &payload, .msg_iovlen = 1};
	if (fd >= 0) {
		message.msg_control = control.room;
		message.msg_controllen = sizeof control.room;
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		*header = (struct cmsghdr){
			.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
		memcpy(CMSG_DATA(header), &fd, sizeof fd);
	}
	return sendmsg(channel, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

bool receive_descriptor(int channel, int *number, int *fd) {
	union descriptor_message control;
	struct iovec payload = {.iov_base = number, .iov_len = sizeof *number};
	struct msghdr message = {
		.msg_iov = &payload,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof control.room,
	};
	*fd = -1;
	if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) != sizeof *number) return false;
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (header) memcpy(fd, CMSG_DATA(header), sizeof *fd);
	return true;
}

static int move_above(int fd) {
	if (fd > STDERR_FILENO) return fd;
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (moved < 0) return -errno;
	close(fd);
	return moved;
}

int move_above_standard_files(int ends[2]) {
	for (int i = 0; i < 2; i++) {
		int moved = move_above(ends[i]);
		if (moved < 0) {
			close(ends[0]);
			close(ends[1]);
			return moved;
		}
		ends[i] = moved;
	}
	return 0;
}
