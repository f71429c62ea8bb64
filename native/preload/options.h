/* setsockopt and getsockopt, as the library wraps them. */
#ifndef OPTIONS_H
#define OPTIONS_H

/* Has the kernel's answers stand for a socket that the program itself wanted to be MPTCP. errno is not kept. */
void leave_options_to_kernel(int socket);

#endif
