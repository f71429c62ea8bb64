/* The variables by which a program is converted, merged with what the user has in them. Pure. */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

/*
 * LD_PRELOAD with our library at its end. Separators are spaces and colons (ld.so(8)); the result has colons. Entries
 * that are a libmptcpwrap.so*, ours or upstream's, go: two of them would both wrap socket(). `user` may be NULL.
 */
char *merged_preload(const char *user, const char *library);

/* LD_PRELOAD without these entries; NULL if nothing is left. */
char *preload_without_library(const char *user);

/*
 * GODEBUG with this setting at its end, in place of any other of multipathtcp: of two, Go takes the last. `user` may
 * be NULL.
 */
char *merged_godebug(const char *user, const char *setting);

#endif
