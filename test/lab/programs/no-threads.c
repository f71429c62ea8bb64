/*
 * Preloaded: while the file exists that $NO_THREADS names, Node cannot start the thread of a Worker, as where TasksMax= is
 * reached. Those have a stack of 4 MiB (node_worker.h); Node's other threads it could not do without.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define STACK_OF_WORKER ((size_t)4 << 20)

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
	const char *file = getenv("NO_THREADS");
	int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	size_t stack = 0;

	if (attributes != NULL)
		pthread_attr_getstacksize(attributes, &stack);
	if (stack == STACK_OF_WORKER && file != NULL && access(file, F_OK) == 0)
		return EAGAIN;
	*(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
	return real(thread, attributes, start, argument);
}
