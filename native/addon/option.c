/* Socket options of any kind, for finding out what the running kernel makes of them. */
#include "addon.h"

#include "../options/socket_calls.h"

#include <errno.h>

/* optionSocket(family, protocol): fd of a new stream socket | -errno */
static napi_value option_socket(napi_env env, napi_callback_info info) {
	napi_value arguments[2];
	int32_t family, protocol;
	TRY(env, get_arguments(env, info, 2, arguments));
	TRY(env, napi_get_value_int32(env, arguments[0], &family));
	TRY(env, napi_get_value_int32(env, arguments[1], &protocol));
	return result_of(env, kernel_socket(family, SOCK_STREAM | SOCK_CLOEXEC, protocol));
}

/* The arguments that setting and getting have in common: fd, level, number, bytes. */
static napi_status get_option_arguments(napi_env env, napi_callback_info info, int32_t numbers[3], void **bytes,
					size_t *length) {
	napi_value arguments[4];
	napi_status status = get_arguments(env, info, 4, arguments);
	for (int i = 0; i < 3 && status == napi_ok; i++)
		status = napi_get_value_int32(env, arguments[i], &numbers[i]);
	return status == napi_ok ? get_bytes(env, arguments[3], bytes, length) : status;
}

/* setOption(fd, level, number, value): 0 | -errno */
static napi_value set_option(napi_env env, napi_callback_info info) {
	int32_t numbers[3];
	void *bytes;
	size_t length;
	TRY(env, get_option_arguments(env, info, numbers, &bytes, &length));
	return result_of(env, kernel_setsockopt(numbers[0], numbers[1], numbers[2], bytes, (socklen_t)length));
}

/* getOption(fd, level, number, room): length of the value, which is in `room` now | -errno */
static napi_value get_option(napi_env env, napi_callback_info info) {
	int32_t numbers[3];
	void *bytes;
	size_t size;
	TRY(env, get_option_arguments(env, info, numbers, &bytes, &size));
	socklen_t length = (socklen_t)size;
	if (kernel_getsockopt(numbers[0], numbers[1], numbers[2], bytes, &length) < 0) return number(env, -errno);
	return number(env, length);
}

napi_status define_options(napi_env env, napi_value exports) {
	napi_status status = define_function(env, exports, "optionSocket", option_socket);
	if (status == napi_ok) status = define_function(env, exports, "setOption", set_option);
	if (status == napi_ok) status = define_function(env, exports, "getOption", get_option);
	return status;
}
