/* Whether a program has a socket only once. */
#ifndef SHARING_H
#define SHARING_H

/*
 * NULL if the socket is in no epoll set of the program and has no other descriptor there than `number`; else the obstacle,
 * also if that cannot be told. `directory` is the program's in /proc, -1 for the calling thread's, which then has the
 * descriptor `socket` as well. What other processes have got (fork(2), SCM_RIGHTS) is not seen.
 */
const char *find_sharing(int directory, int number, int socket);

#endif
