#include "listener.h"

#include <errno.h>

int listener_ioctl(int listener, unsigned long request, void *argument) {
	int result;
	do result = ioctl(listener, request, argument);
	while (result < 0 && errno == EINTR);
	return result;
}
