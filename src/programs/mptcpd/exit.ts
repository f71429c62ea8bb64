/** The administrator can mend it: the configuration, a privilege, the kernel. */
export const EXIT_FAILURE = 1;
/** EX_USAGE of sysexits(3): the command line. */
export const EXIT_USAGE = 64;
/** EX_SOFTWARE of sysexits(3): a fault of our own. */
export const EXIT_SOFTWARE = 70;
