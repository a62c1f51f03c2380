/* SPDX-License-Identifier: MIT */
/* libraries.h - says which libraries the program runs with. */
#ifndef H2MUX_H2_LIBRARIES_H
#define H2MUX_H2_LIBRARIES_H

/* Prints to standard output the versions of the linked libraries, as they are at run time, who
 * encrypts TLS records, and which libraries are linked in (ONEPORT_LINKED, see packaging/). @json
 * is the version of cJSON, which h2mux does not use. */
void libraries_print(const char *json);

/* Prints to standard output where the authorities are that the program trusts. */
void libraries_print_trust(void);

#endif
