/* A library that makes a socket while the program is being loaded. */
#include <stdio.h>
#include <sys/socket.h>

__attribute__((constructor)) static void make_socket(void) {
	int protocol = -1, fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t length = sizeof protocol;
	getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length);
	dprintf(1, "early: fd %d protocol %d\n", fd, protocol);
}
