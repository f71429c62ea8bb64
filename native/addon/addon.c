/* Loading, the state of an environment, and what the other files share: arguments, results, jobs for other threads. */
#include "addon.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLAB_SIZE = SLOTS * SLOT_SIZE, TABLE_SIZE = (SLOTS * TABLE_COLUMNS + 1) * sizeof(uint32_t) };

static void free_addon(napi_env env UNUSED, void *data, void *hint UNUSED) {
	struct addon *addon = data;
	munmap(addon->slab, SLAB_SIZE + TABLE_SIZE);
	if (addon->datagram_fd >= 0) close(addon->datagram_fd);
	free(addon);
}

static struct addon *new_addon(void) {
	struct addon *addon = calloc(1, sizeof *addon);
	if (!addon) return NULL;
	addon->datagram_fd = -1;
	addon->slab = mmap(NULL, SLAB_SIZE + TABLE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (addon->slab == MAP_FAILED) {
		free(addon);
		return NULL;
	}
	/* One huge page would make 2 MiB of every first byte. */
	madvise(addon->slab, SLAB_SIZE, MADV_NOHUGEPAGE);
	addon->table = (uint32_t *)(addon->slab + SLAB_SIZE);
	for (int i = 0; i < SLOTS; i++) {
		addon->vectors[i] = (struct iovec){.iov_base = addon->slab + (size_t)i * SLOT_SIZE, .iov_len = SLOT_SIZE};
		addon->headers[i].msg_hdr.msg_iov = &addon->vectors[i];
		addon->headers[i].msg_hdr.msg_iovlen = 1;
		addon->headers[i].msg_hdr.msg_name = &addon->senders[i];
	}
	return addon;
}

napi_value throw_last_error(napi_env env) {
	/* First of all: every further Node-API call overwrites the last error. */
	const napi_extended_error_info *error = NULL;
	const char *message = NULL;
	if (napi_get_last_error_info(env, &error) == napi_ok) message = error->error_message;
	bool pending = false;
	if (napi_is_exception_pending(env, &pending) == napi_ok && !pending)
		napi_throw_error(env, NULL, message ? message : "a Node-API call failed");
	return NULL;
}

napi_status get_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *arguments) {
	/* Node-API fills missing arguments with undefined, which then fail their type check. */
	return napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
}

napi_value number(napi_env env, int64_t value) {
	napi_value result;
	TRY(env, napi_create_int64(env, value, &result));
	return result;
}

napi_value result_of(napi_env env, int64_t value) {
	return number(env, value == -1 ? -errno : value);
}

char *get_string(napi_env env, napi_value value, size_t *length) {
	size_t size;
	if (napi_get_value_string_utf8(env, value, NULL, 0, &size) != napi_ok) {
		throw_last_error(env);
		return NULL;
	}
	char *string = malloc(size + 1);
	if (!string) {
		napi_throw_error(env, "ENOMEM", "out of memory");
		return NULL;
	}
	if (napi_get_value_string_utf8(env, value, string, size + 1, &size) != napi_ok) {
		free(string);
		throw_last_error(env);
		return NULL;
	}
	if (length) *length = size;
	return string;
}

napi_status get_bytes(napi_env env, napi_value value, void **bytes, size_t *length) {
	napi_typedarray_type type;
	napi_status status = napi_get_typedarray_info(env, value, &type, length, bytes, NULL, NULL);
	return status == napi_ok && type != napi_uint8_array ? napi_invalid_arg : status;
}

static void run_job(napi_env env UNUSED, void *data) {
	struct job *job = data;
	job->run(job);
}

static bool call_back(napi_env env, struct job *job) {
	napi_value global, callback, result;
	return napi_get_global(env, &global) == napi_ok &&
	       napi_get_reference_value(env, job->callback, &callback) == napi_ok &&
	       napi_create_int32(env, job->result, &result) == napi_ok &&
	       napi_call_function(env, global, callback, 1, &result, NULL) == napi_ok;
}

void release_job(napi_env env, struct job *job) {
	if (job->callback) napi_delete_reference(env, job->callback);
	if (job->work) napi_delete_async_work(env, job->work);
	if (job->cleanup) napi_remove_async_cleanup_hook(job->cleanup);
	free(job);
}

static void end_job(napi_env env, struct job *job, bool delivered) {
	job->done(job, delivered);
	release_job(env, job);
}

static void finish_job(napi_env env, napi_status status, void *data) {
	struct job *job = data;
	if (status == napi_cancelled) job->result = -ECANCELED;
	end_job(env, job, call_back(env, job));
}

/* Nothing to do but to exist: the environment waits for the hook's removal, so it outlives the job. */
static void await_job(napi_async_cleanup_hook_handle handle UNUSED, void *data UNUSED) {
}

napi_value start_job(napi_env env, struct job *job, napi_value callback) {
	napi_value name;
	if (napi_create_reference(env, callback, 1, &job->callback) == napi_ok &&
	    napi_create_string_utf8(env, "mptcpd", NAPI_AUTO_LENGTH, &name) == napi_ok &&
	    napi_create_async_work(env, NULL, name, run_job, finish_job, job, &job->work) == napi_ok &&
	    napi_add_async_cleanup_hook(env, await_job, job, &job->cleanup) == napi_ok &&
	    napi_queue_async_work(env, job->work) == napi_ok)
		return number(env, 0);
	throw_last_error(env);
	end_job(env, job, false);
	return NULL;
}

napi_status define_function(napi_env env, napi_value exports, const char *name, napi_callback callback) {
	napi_value function;
	napi_status status = napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, NULL, &function);
	return status == napi_ok ? napi_set_named_property(env, exports, name, function) : status;
}

static napi_status define_number(napi_env env, napi_value exports, const char *name, uint32_t value) {
	napi_value property;
	napi_status status = napi_create_uint32(env, value, &property);
	return status == napi_ok ? napi_set_named_property(env, exports, name, property) : status;
}

NAPI_MODULE_INIT() {
	struct addon *addon = new_addon();
	if (!addon) {
		napi_throw_error(env, "ENOMEM", "out of memory");
		return NULL;
	}
	if (napi_set_instance_data(env, addon, free_addon, NULL) != napi_ok) {
		free_addon(env, addon, NULL);
		return throw_last_error(env);
	}
	napi_value memory;
	TRY(env, napi_create_external_arraybuffer(env, addon->slab, SLAB_SIZE + TABLE_SIZE, NULL, NULL, &memory));
	TRY(env, napi_set_named_property(env, exports, "memory", memory));
	TRY(env, define_number(env, exports, "slots", SLOTS));
	TRY(env, define_number(env, exports, "slotSize", SLOT_SIZE));
	TRY(env, define_netlink(env, exports));
	TRY(env, define_system(env, exports));
	TRY(env, define_options(env, exports));
	return exports;
}
