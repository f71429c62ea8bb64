/*
 * A thread of an environment's own. Its jobs wait for each other, and for nobody else's: what fills libuv's pool
 * (a plugin that looks up a name while the network is gone) does not hold them up.
 */
#include "addon.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <uv.h>

struct sender {
	uv_async_t finished; /* first: the loop hands out its address */
	napi_env env;
	struct addon *addon;
	napi_async_cleanup_hook_handle cleanup;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct jobs waiting, done;
	unsigned pending; /* that JavaScript waits for */
	bool ending;
};

static void append(struct jobs *jobs, struct job *job) {
	job->next = NULL;
	if (jobs->first)
		jobs->last->next = job;
	else
		jobs->first = job;
	jobs->last = job;
}

static struct job *take(struct jobs *jobs) {
	struct job *job = jobs->first;
	if (job) jobs->first = job->next;
	return job;
}

static void *work(void *data) {
	struct sender *s = data;
	pthread_mutex_lock(&s->lock);
	for (;;) {
		struct job *job = take(&s->waiting);
		if (!job && s->ending) break;
		if (!job) {
			pthread_cond_wait(&s->wake, &s->lock);
			continue;
		}
		pthread_mutex_unlock(&s->lock);
		job->run(job);
		pthread_mutex_lock(&s->lock);
		append(&s->done, job);
		uv_async_send(&s->finished);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static struct job *take_done(struct sender *s) {
	pthread_mutex_lock(&s->lock);
	struct job *job = take(&s->done);
	pthread_mutex_unlock(&s->lock);
	return job;
}

static void call_back(napi_env env, struct job *job) {
	napi_handle_scope scope;
	napi_value global, callback, result, exception;
	bool pending = false;
	if (napi_open_handle_scope(env, &scope) != napi_ok) return;
	if (napi_get_global(env, &global) == napi_ok &&
	    napi_get_reference_value(env, job->callback, &callback) == napi_ok &&
	    napi_create_int32(env, job->result, &result) == napi_ok &&
	    napi_make_callback(env, NULL, global, callback, 1, &result, NULL) == napi_pending_exception &&
	    napi_is_exception_pending(env, &pending) == napi_ok && pending &&
	    napi_get_and_clear_last_exception(env, &exception) == napi_ok)
		napi_fatal_exception(env, exception); /* process.on("uncaughtException") */
	napi_close_handle_scope(env, scope);
}

static void on_finished(uv_async_t *handle) {
	struct sender *s = (struct sender *)handle;
	struct job *job;
	while ((job = take_done(s))) {
		if (--s->pending == 0) uv_unref((uv_handle_t *)&s->finished);
		job->done(job, true);
		call_back(s->env, job);
		release_job(s->env, job);
	}
}

static void drop_job(napi_env env, struct job *job) {
	job->done(job, false);
	release_job(env, job);
}

static void on_closed(uv_handle_t *handle) {
	struct sender *s = (struct sender *)handle;
	if (s->cleanup) napi_remove_async_cleanup_hook(s->cleanup);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static void on_environment_end(napi_async_cleanup_hook_handle handle UNUSED, void *data) {
	struct sender *s = data;
	pthread_mutex_lock(&s->lock);
	s->ending = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	struct job *job;
	while ((job = take(&s->done))) drop_job(s->env, job);
	s->addon->sender = NULL;
	uv_close((uv_handle_t *)&s->finished, on_closed);
}

/* Signals are for the threads that others have made ready for them. */
static int start_thread(struct sender *s) {
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&s->thread, NULL, work, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

/* 0 | -errno */
static int open_sender(napi_env env, struct addon *addon) {
	uv_loop_t *loop;
	if (napi_get_uv_event_loop(env, &loop) != napi_ok) return -EINVAL;
	struct sender *s = calloc(1, sizeof *s);
	if (!s) return -ENOMEM;
	s->env = env;
	s->addon = addon;
	int error = uv_async_init(loop, &s->finished, on_finished);
	if (error) {
		free(s);
		return error;
	}
	uv_unref((uv_handle_t *)&s->finished);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	if (napi_add_async_cleanup_hook(env, on_environment_end, s, &s->cleanup) != napi_ok) error = -ENOMEM;
	if (!error) error = start_thread(s);
	if (error) {
		/* There is no thread that it could end. */
		if (s->cleanup) napi_remove_async_cleanup_hook(s->cleanup);
		s->cleanup = NULL;
		uv_close((uv_handle_t *)&s->finished, on_closed);
		return error;
	}
	addon->sender = s;
	return 0;
}

napi_value start_job_alone(napi_env env, struct job *job, napi_value callback) {
	struct addon *addon;
	if (napi_get_instance_data(env, (void **)&addon) != napi_ok ||
	    napi_create_reference(env, callback, 1, &job->callback) != napi_ok) {
		throw_last_error(env);
		drop_job(env, job);
		return NULL;
	}
	int error = addon->sender ? 0 : open_sender(env, addon);
	if (error) {
		drop_job(env, job);
		return number(env, error);
	}
	struct sender *s = addon->sender;
	if (s->pending++ == 0) uv_ref((uv_handle_t *)&s->finished);
	pthread_mutex_lock(&s->lock);
	append(&s->waiting, job);
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	return number(env, 0);
}
