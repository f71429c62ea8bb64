/*
 * The native addon: what JavaScript cannot do itself. src/kernel/netlink/addon.ts is its only caller and gives it types,
 * error messages and documentation.
 *
 * Conventions: a system call's failure is *returned* as -errno, never thrown; only a failing Node-API call (wrong
 * argument types, no memory) throws. There is no global state: what is shared hangs on the environment, so that
 * each worker thread has its own.
 */
#ifndef ADDON_H
#define ADDON_H

#define _GNU_SOURCE
#define NAPI_VERSION 8
#include <node_api.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <linux/netlink.h>

/*
 * Received datagrams land in fixed slots of one mapping, followed by the table that describes them. Pages are
 * only touched as far as data arrives, so slots can be large enough for any message of the kernel: a dump's are
 * at most 32 KiB (netlink_recvmsg in net/netlink/af_netlink.c), one link's with many virtual functions is larger.
 */
enum { SLOTS = 16, SLOT_SIZE = 256 * 1024, TABLE_COLUMNS = 3 };

/* What belongs to one environment (the main thread or a worker). */
struct addon {
	uint8_t *slab;   /* SLOTS * SLOT_SIZE bytes */
	uint32_t *table; /* for each slot: length, sender's port, mask of groups; after them, whether slots are in use */
	struct mmsghdr headers[SLOTS];
	struct iovec vectors[SLOTS];
	struct sockaddr_nl senders[SLOTS];
	size_t largest; /* datagram since the slab's memory was given back last */
	int datagram_fd; /* unbound AF_UNIX socket, made when first needed; -1 until then */
	struct sender *sender; /* made when first needed */
};

/*
 * A job for another thread, first member of the struct that holds its arguments. `run` is called there and sets
 * `result`, with which the callback is then called. `done` is called on the loop's thread, and is told whether
 * JavaScript got the result: it does not when the environment is being torn down. (A callback and no promise, for
 * Node-API frees a reference with its environment, but a deferred only by settling it.)
 */
struct job {
	void (*run)(struct job *job);
	void (*done)(struct job *job, bool delivered);
	int result;
	napi_ref callback;
	napi_async_work work;
	napi_async_cleanup_hook_handle cleanup;
	struct job *next;
};

struct jobs {
	struct job *first, *last;
};

/* Starts a job that malloc gave on libuv's pool: 0, or NULL with an exception. Takes the ownership in either case. */
napi_value start_job(napi_env env, struct job *job, napi_value callback);

/*
 * The same on a thread of the environment's own, after those that were started before: 0 | -errno. `done` is called
 * before JavaScript gets the result, which therefore has to be a mere number.
 */
napi_value start_job_alone(napi_env env, struct job *job, napi_value callback);

/* Frees a job of which all else is done. */
void release_job(napi_env env, struct job *job);

/* Leaves a native function with an exception when a Node-API call fails. */
#define TRY(env, call)                                                                                                 \
	do {                                                                                                           \
		if ((call) != napi_ok) return throw_last_error(env);                                                   \
	} while (0)

#define UNUSED __attribute__((unused))

napi_value throw_last_error(napi_env env);
napi_status get_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *arguments);
napi_value number(napi_env env, int64_t value);
/* The result of a system call: itself, or -errno if it is -1. */
napi_value result_of(napi_env env, int64_t value);
/* A string argument, to be freed; NULL with an exception pending if it is none. */
char *get_string(napi_env env, napi_value value, size_t *length);
napi_status get_bytes(napi_env env, napi_value value, void **bytes, size_t *length);

napi_status define_function(napi_env env, napi_value exports, const char *name, napi_callback callback);
napi_status define_netlink(napi_env env, napi_value exports);
napi_status define_system(napi_env env, napi_value exports);
napi_status define_options(napi_env env, napi_value exports);

#endif
