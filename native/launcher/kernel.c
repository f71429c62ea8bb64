#include "kernel.h"

#include "../options/socket_calls.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char *kernel_refusal(void) {
	int fd = kernel_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
	if (fd < 0 && errno == ENOPROTOOPT) return "net.mptcp.enabled is 0";
	/* Before Linux 5.6 the number is out of range. */
	if (fd < 0 && (errno == EPROTONOSUPPORT || errno == EINVAL)) return "this kernel has no MPTCP";
	if (fd < 0) return strerror(errno);
	close(fd);
	return NULL;
}

bool kernel_gives(int asked, int given) {
	int protocol = -1;
	socklen_t size = sizeof protocol;
	int fd = kernel_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, asked);
	if (fd < 0) return false;
	kernel_getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
	close(fd);
	return protocol == given;
}
