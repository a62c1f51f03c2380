/* SPDX-License-Identifier: MIT */
/* certificate.h - looks at the server's certificate and tells the operator what is wrong with it.
 */
#ifndef SRC_WORKER_CERTIFICATE_H
#define SRC_WORKER_CERTIFICATE_H

#include <stdint.h>

#include "src/worker/server.h"

enum { CERTIFICATE_WARN_DAYS = 14 };

/* Logs a line for each fault of the certificate of @s: a name that it lacks, the domain or its
 * wildcard; an end that is past or at most CERTIFICATE_WARN_DAYS away; a begin in the future; a
 * key that everybody may read. Without a certificate, logs that clients cannot attach directly. May
 * run on any thread. */
void certificate_look(const struct server *s);

/* Returns the number of whole days until the certificate's end; less than 0 after it. @s has a
 * certificate. May run on any thread. */
int64_t certificate_days_left(const struct server *s);

#endif
