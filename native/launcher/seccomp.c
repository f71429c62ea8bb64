#include "seccomp.h"

#include "filter.h"
#include "option_choice.h"
#include "supervisor.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif

/* Installs the filter for this process: its listener, or -errno. */
static int install_filter(const struct filter *filter, unsigned long flags) {
	struct sock_fprog program = {.len = filter->length, .filter = (struct sock_filter *)filter->code};
	long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, &program);
	return listener < 0 ? -errno : (int)listener;
}

/* As above, with no_new_privs where the kernel demands it: of those without CAP_SYS_ADMIN (seccomp(2)). */
static int install_filter_as_allowed(const struct filter *filter, unsigned long flags, bool *no_new_privs) {
	int listener = install_filter(filter, flags);
	if (listener != -EACCES || *no_new_privs) return listener;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -errno;
	*no_new_privs = true;
	return install_filter(filter, flags);
}

int convert_by_seccomp(const struct conversion *conversion, bool *no_new_privs, const char **step) {
	*no_new_privs = false;
	/* First everything that may fail, then the filter, which cannot be taken off again. */
	bool answers_options = !conversion->to_tcp && conversion->policy != OPTIONS_REFUSE, restartable = false;
	struct option_choice *choice = answers_options ? new_option_choice() : NULL;
	int channel = start_supervisor(conversion, choice, step);
	if (channel < 0) return channel;
	*step = "seccomp";
	struct filter filter;
	write_filter(&filter, conversion->to_tcp, choice);
	int listener = install_filter_as_allowed(&filter, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, no_new_privs);
	if (listener == -EINVAL) {
		restartable = true;
		listener = install_filter_as_allowed(&filter, 0, no_new_privs);
	}
	int error = listener;
	if (listener >= 0) {
		*step = "sendmsg";
		error = hand_over(channel, listener, restartable);
		close(listener);
	}
	/* A supervisor that has got no listener ends here. */
	close(channel);
	return error;
}
