/* SPDX-License-Identifier: MIT */
/* certificate.h - reads the server's certificates, again at a reload, looks at them and tells the
 * operator what is wrong with them. */
#ifndef SRC_WORKER_CERTIFICATE_H
#define SRC_WORKER_CERTIFICATE_H

#include <stdint.h>

#include "src/worker/server.h"

enum { CERTIFICATE_WARN_DAYS = 14 };

/* Reads the certificates of @c. Returns NULL with @reason when one of --cert, or the folder of
 * --cert-dir, cannot be used. Logs `certificate_not_loaded` for each file of that folder that
 * cannot be used; the folder may have none at all. */
struct tls *certificate_open(const struct config *c, char reason[static TLS_REASON_MAX]) MUSTCHECK;

/* Reads the certificates of @s again, which has some or may get some, and logs what was read. Logs
 * `certificate_not_reloaded` for each that cannot be used. One that was in use by the same file
 * stays as it was; when the folder of --cert-dir cannot be read, all stay. */
void certificate_reload(const struct server *s);

/* Logs a line for each fault of the certificates of @s: a name that all of them lack, the domain or
 * its wildcard; one of --cert-dir that lacks the name of its file; an end that is past or at most
 * CERTIFICATE_WARN_DAYS away; a begin in the future; a key that everybody may read. Without a
 * certificate, logs that clients cannot attach directly. May run on any thread. */
void certificate_look(const struct server *s);

struct certificate_sum {
    size_t count;
    int64_t days_left; /* whole days until the first end of one; less than 0 after it */
};

/* Sums the certificates of @s up. May run on any thread. */
struct certificate_sum certificate_sum(const struct server *s);

#endif
