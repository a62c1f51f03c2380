/* SPDX-License-Identifier: MIT */
/* challenge.h - answers the challenge of an authority that is asked for a certificate (ACME, RFC
 * 8555 8.3): reads the file of its token from --acme-dir. http-rules.md#port-80, rule O201 */
#ifndef SRC_EDGE_CHALLENGE_H
#define SRC_EDGE_CHALLENGE_H

#include "h2mux/base/buf.h"
#include "h2mux/base/err.h"

enum { CHALLENGE_MAX = 4096 /* bytes of a file; a key authorization has about 90 */ };

/* Appends the content of the file @token of the folder @dir to @out. @token has letters, digits,
 * '-' and '_' only (route.h). Returns 0; or ERR_NOT_FOUND when there is no such file, or when it is
 * a symbolic link, no plain file, empty, or larger than CHALLENGE_MAX. */
int challenge_read(const char *dir, struct slice token, struct buf *out) MUSTCHECK;

#endif
