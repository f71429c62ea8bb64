#include "supervision.h"

#include "listener.h"

static void send_response(const struct supervision *supervision, int result, uint32_t flags) {
	union {
		struct seccomp_notif_resp response;
		char room[256];
	} answer = {.room = {0}};
	answer.response = (struct seccomp_notif_resp){
		.id = supervision->in_flight->request.id,
		.val = result < 0 ? 0 : result,
		.error = result < 0 ? result : 0,
		.flags = flags,
	};
	listener_ioctl(supervision->listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

void send_result(const struct supervision *supervision, int result) {
	send_response(supervision, result, 0);
}

void send_back(const struct supervision *supervision) {
	send_response(supervision, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}
